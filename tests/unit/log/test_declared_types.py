"""A deployment's own event types: declared by a package's entry point, they break nothing beside them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "docs/examples/own_types/acme_types.py"
ASKED = """
import json, sys
from datetime import UTC, datetime
from activity.catalogue import CATALOGUE, summarise
from activity.errors import ActivityError
from activity.event import Event
from activity.validation import encode

def emitted(name, payload):
    try:
        encode(Event(type=name, tenant_id=1, actor="system", source="crm", contact_id="c1", payload=payload))
    except ActivityError as error:
        return str(error)
    return "taken"

print(json.dumps({
    "emitted": [emitted(*asked) for asked in json.loads(sys.argv[1])],
    "told": {
        locale: [summarise("acme.form_filled", 1, payload, locale) for payload in json.loads(sys.argv[2])]
        for locale in ("en", "de")
    },
    "category": CATALOGUE["acme.form_filled"].category if "acme.form_filled" in CATALOGUE else None,
}))
"""
IMPORTED = """
from activity.errors import ActivityError
try:
    import activity.catalogue
except ActivityError as error:
    print(error)
"""


def installed(folder: Path, source: str, value: str = "acme_types:FORM_FILLED") -> dict[str, str]:
    """Install a package that declares the example's type, and return the environment that has it."""
    (folder / "acme_types.py").write_text(source)
    metadata = folder / "acme-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[activity.event_types]\nacme = {value}\n")
    return os.environ | {"PYTHONPATH": str(folder)}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_declared_type_is_checked_and_told_and_its_neighbours_are_taken_as_before(tmp_path: Path) -> None:
    form = {"form": "Ask for a demo", "page": "/pricing"}
    asked = [
        ["acme.form_filled", form],
        ["acme.form_filled", {"page": "/pricing"}],
        ["acme.web_visit", {"anything": 1}],
        ["acme.form_fille", {}],
        ["acme", {}],
        ["email.of_ours", {}],
    ]
    answer = python(
        installed(tmp_path, EXAMPLE.read_text()), "-c", ASKED, json.dumps(asked), json.dumps([form, {}, None])
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [told[:40] for told in found["emitted"]] == [
        "taken",
        "payload: Object missing required field `",
        "taken",
        "taken",
        "type: unknown type 'acme'; a type of you",
        "type: unknown type 'email.of_ours'; did ",
    ]
    assert found["told"] == {
        "en": ["filled Ask for a demo on /pricing", "Form filled", "Form filled: content erased"],
        "de": [
            "hat Ask for a demo ausgefüllt auf /pricing",
            "Formular ausgefüllt",
            "Formular ausgefüllt: Inhalt gelöscht",
        ],
    }
    assert found["category"] == "signals"


def test_a_program_may_import_its_own_declaration_first(tmp_path: Path) -> None:
    environment = installed(tmp_path, EXAMPLE.read_text())
    code = "import acme_types, activity.catalogue; assert 'acme.form_filled' in activity.catalogue.CATALOGUE"
    assert python(environment, "-c", code).stderr == ""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("acme.form_filled", "email.form_filled", "give it a namespace of your own"),
        ("acme.form_filled", "form_filled", "give it a namespace of your own"),
        ("acme.form_filled", "Acme.Form", "give it a namespace of your own"),
        ("FormFilled(Payload", "FormFilled(msgspec.Struct", "its payload is no Payload"),
        ('"form": "Ask for a demo"', '"form": 7', "its example does not fit its payload"),
        ('"en": "filled', '"fr": "filled', "it has no English sentence"),
        ("filled {form}", "filled {from}", "the payload has no ['from']"),
        ("filled {form}", "filled {form:nope}", "KeyError"),
        ("filled {form}", "filled {form:money}", "InvalidOperation"),
        ("FORM_FILLED = DeclaredType", "OTHER = DeclaredType", "FORM_FILLED"),
        ("FORM_FILLED = DeclaredType(", "FORM_FILLED = dict(", "name a DeclaredType or a tuple of them"),
        ("FORM_FILLED = ", "import nowhere; FORM_FILLED = ", "No module named 'nowhere'"),
    ],
)
def test_a_wrong_declaration_is_refused_where_the_catalogue_is_loaded(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    source = "import msgspec\n" + EXAMPLE.read_text()
    assert right in source
    environment = installed(tmp_path, source.replace(right, wrong))
    assert said in python(environment, "-c", IMPORTED).stdout


def test_a_command_tells_a_wrong_declaration_in_one_line(tmp_path: Path) -> None:
    environment = installed(tmp_path, EXAMPLE.read_text().replace("acme.form_filled", "email.form_filled"))
    answer = python(
        environment, "-c", "from cli.main import app; app()", "feed", "--type", "x.y", "--tenant", "1"
    )
    assert answer.stderr.startswith("activity: event type 'email.form_filled' of acme_types:FORM_FILLED: ")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)


def test_two_packages_that_declare_one_type_are_told(tmp_path: Path) -> None:
    environment = installed(
        tmp_path, EXAMPLE.read_text() + "\nBOTH = FORM_FILLED, FORM_FILLED\n", "acme_types:BOTH"
    )
    assert "declared twice" in python(environment, "-c", IMPORTED).stdout
