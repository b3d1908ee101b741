"""What a sequence is: its steps, its send window, what it tracks.

A definition is checked as a whole, templates included, before it is saved.
"""

import hashlib
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from activity.errors import ActivityError
from producers.sequences.sending.window import Window
from producers.sequences.templates import InvalidTemplate, check

Text = Annotated[str, Meta(max_length=65_536)]
Label = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class InvalidSequence(ActivityError, ValueError):
    """A sequence that must not be saved; the message tells where and why."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class WaitStep(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="wait"):
    """Do nothing for at least so long: the send window and the limits may add to it."""

    days: Annotated[float, Meta(ge=0, le=400)] = 0
    hours: Annotated[float, Meta(ge=0, le=10_000)] = 0
    minutes: Annotated[float, Meta(ge=0, le=100_000)] = 0

    @property
    def length(self) -> timedelta:
        """How long."""
        return timedelta(days=self.days, hours=self.hours, minutes=self.minutes)


class TaskStep(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="task"):
    """Hand a task to the contact's owner, and go on."""

    title: Annotated[str, Meta(min_length=1, max_length=2000)]
    due_days: Annotated[float, Meta(ge=0, le=400)] = 0


class Variant(_Strict, frozen=True, kw_only=True):
    """One wording of a step. Without a subject it answers the thread's first mail.

    A variant of `weight` 0 is never sent.
    """

    name: Label = "A"
    subject: Annotated[str, Meta(max_length=2000)] = ""
    text: Annotated[str, Meta(min_length=1, max_length=65_536)]
    html: Text = ""
    weight: Annotated[int, Meta(ge=0, le=1000)] = 1


class EmailStep(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="email"):
    """Send a mail, in one of its variants."""

    variants: Annotated[tuple[Variant, ...], Meta(min_length=1, max_length=26)]

    def variant(self, sequence_id: int, step: int, contact_id: str) -> Variant:
        """Return the contact's variant: always the same one, spread over contacts by weight."""
        digest = hashlib.sha256(f"{sequence_id}/{step}/{contact_id}".encode()).digest()
        point = int.from_bytes(digest[:8], "big") % sum(variant.weight for variant in self.variants)
        for variant in self.variants:
            point -= variant.weight
            if point < 0:
                return variant
        raise AssertionError("unreachable: the point lies below the sum of the weights")

    def named(self, name: str) -> Variant:
        """Return the variant of this name."""
        return next(variant for variant in self.variants if variant.name == name)


Step = WaitStep | EmailStep | TaskStep


class SequenceDefinition(_Strict, frozen=True, kw_only=True, dict=True):
    """A whole sequence, as a file has it."""

    name: Label
    mailbox: Annotated[str, Meta(max_length=320)]  # the sending mailbox's address
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=100)]
    # opt_in: write only to those who agreed; opt_out: to all who did not object
    consent: Literal["opt_in", "opt_out"] = "opt_out"
    window: Window | None = None  # when mail may go out; absent: at any time
    track_opens: bool = True
    track_clicks: bool = True

    def step(self, number: int) -> Step | None:
        """Return the step of this number, from 1; None after the last."""
        return self.steps[number - 1] if 0 < number <= len(self.steps) else None

    @cached_property
    def json(self) -> str:
        """The definition as it is stored."""
        return msgspec.json.encode(self).decode()


_STORED = msgspec.json.Decoder(SequenceDefinition)


def read(text: str, form: Literal["json", "toml"] = "json") -> SequenceDefinition:
    """Return the definition that a text holds, with every template tried. Raises InvalidSequence."""
    try:
        found = msgspec.toml.decode(text, type=SequenceDefinition) if form == "toml" else load(text)
    except msgspec.DecodeError as error:
        raise InvalidSequence(f"the sequence cannot be read: {error}") from None
    _check(found)
    return found


def load(text: str) -> SequenceDefinition:
    """Return a definition that was checked when it was saved."""
    return _STORED.decode(text)


def _check(found: SequenceDefinition) -> None:
    threads = False
    for number, step in enumerate(found.steps, 1):
        if isinstance(step, TaskStep):
            _try(number, "title", step.title, html=False)
        elif isinstance(step, EmailStep):
            _check_email(number, step, threads)
            threads = True


def _check_email(number: int, step: EmailStep, threads: bool) -> None:
    names = [variant.name for variant in step.variants]
    if len(set(names)) != len(names):
        raise InvalidSequence(f"step {number}: two variants have one name; name them A, B, ...")
    if not any(variant.weight for variant in step.variants):
        raise InvalidSequence(f"step {number}: every variant weighs 0; give one of them a weight")
    for variant in step.variants:
        if not variant.subject.strip() and not threads:
            raise InvalidSequence(f"step {number}, variant {variant.name}: the first mail needs a subject")
        for field in ("subject", "text", "html"):
            _try(number, f"variant {variant.name}, {field}", getattr(variant, field), html=field == "html")


def _try(number: int, where: str, source: str, *, html: bool) -> None:
    try:
        check(source, html=html)
    except InvalidTemplate as error:
        raise InvalidSequence(f"step {number}, {where}: {error}") from None
