"""An event type of one's own.

The package that ships this module names it in its pyproject.toml:

[project.entry-points."activity.event_types"]
acme = "acme_types:FORM_FILLED"
"""

from typing import Annotated

from msgspec import Meta

from activity.event_type import Category, DeclaredType, Name, Payload, RequiredName, Tone


class FormFilled(Payload, frozen=True, kw_only=True):
    """Somebody sent a form on the web site."""

    form: Annotated[RequiredName, Meta(description="The form's name when it was sent")]
    page: Annotated[Name | None, Meta(description="The page it stood on")] = None


FORM_FILLED = DeclaredType(
    name="acme.form_filled",
    payload=FormFilled,
    category=Category.SIGNALS,
    icon="file-pen",
    tone=Tone.TEAL,
    title="Form filled",
    example={"form": "Ask for a demo", "page": "/pricing"},
    sentences={"en": "filled {form}[ on {page}]", "de": "hat {form} ausgefüllt[ auf {page}]"},
    titles={"de": "Formular ausgefüllt"},
)
