"""The gate: whether a claimed enrollment's next mail may go out now; if not, why and until when.

It decides in the transaction of the claim.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from db.mail.suppression import Standing
from db.sequences.due import Due
from db.sequences.limits import Mailbox
from producers.sequences.definition import EmailStep, SequenceDefinition, TaskStep, WaitStep
from producers.sequences.sending.quota import Quota
from producers.sequences.sending.window import zone_of

_ENDED = frozenset({"sent", "bounced", "unknown", "skipped"})


class Send(NamedTuple):
    """A mail may go: the step that it is of."""

    step: int
    email: EmailStep


class Hold(NamedTuple):
    """Nothing goes now. Without `until` it waits for a person who resumes what is paused."""

    step: int
    until: datetime | None
    reason: str | None


class End(NamedTuple):
    """The enrollment is over. `refused`: a mail that was due is not sent for this reason."""

    step: int
    reason: str
    refused: bool = True


class Decision(NamedTuple):
    """What the gate decided, and the tasks to hand out on the way, by step."""

    verdict: Send | Hold | End
    tasks: tuple[tuple[int, TaskStep], ...] = ()


class GateInput(NamedTuple):
    """What the gate sees beside the enrollment itself."""

    now: datetime
    mailbox: Mailbox
    quotas: Sequence[Quota]
    standing: Mapping[tuple[int, str], Standing]


def after(definition: SequenceDefinition, step: int) -> tuple[int, timedelta]:
    """Return the step that follows `step`, and how long the waits between them are."""
    wait = timedelta()
    while isinstance(following := definition.step(step := step + 1), WaitStep):
        wait += following.length
    return step, wait


def judge(due: Due, definition: SequenceDefinition, given: GateInput) -> Decision:
    """Walk from the enrollment's step to the next mail that is not sent yet, and decide about it."""
    step = due.step
    tasks: list[tuple[int, TaskStep]] = []
    made = {mail.step: mail.state for mail in due.earlier}
    while True:
        at = definition.step(step)
        if at is None:
            return Decision(End(step, "completed", refused=False), tuple(tasks))
        if isinstance(at, EmailStep) and made.get(step) not in _ENDED:
            return Decision(_mail(due, definition, given, step, at, made.get(step)), tuple(tasks))
        if isinstance(at, TaskStep):
            tasks.append((step, at))
        step, wait = after(definition, step) if not isinstance(at, WaitStep) else after(definition, step - 1)
        if wait:
            return Decision(Hold(step, given.now + wait, None), tuple(tasks))


def _mail(
    due: Due, definition: SequenceDefinition, given: GateInput, step: int, email: EmailStep, state: str | None
) -> Send | Hold | End:
    if state == "sending":  # its worker may still be at it: the sweep of what is undecided ends that
        return Hold(step, given.now + timedelta(seconds=5), "waits for what became of the mail before")
    for check in _CHECKS:
        verdict = check(due, definition, given, step)
        if verdict is not None:
            return verdict
    for quota in given.quotas:
        refusal = quota.refusal(given.now)
        if refusal is not None:
            return Hold(step, *refusal)
    for quota in given.quotas:
        quota.count(given.now)
    return Send(step, email)


def _reachable(due: Due, _: SequenceDefinition, __: GateInput, step: int) -> End | None:
    if due.gone:
        return End(step, "the contact is gone")
    return None if due.email else End(step, "no e-mail address")


def _allowed(due: Due, definition: SequenceDefinition, given: GateInput, step: int) -> End | None:
    standing = given.standing[due.tenant_id, due.email or ""]
    refusal = standing.refusal(opt_in=definition.consent == "opt_in")
    return None if refusal is None else End(step, refusal)


def _paused(due: Due, _: SequenceDefinition, given: GateInput, step: int) -> Hold | None:
    if due.sequence_paused:
        return Hold(step, None, "sequence paused")
    box = given.mailbox
    return Hold(step, box.paused_until, f"mailbox paused: {box.paused_reason}") if box.paused else None


def _window(due: Due, definition: SequenceDefinition, given: GateInput, step: int) -> Hold | None:
    if definition.window is None:
        return None
    zone = zone_of((due.fields.get("time_zone"), given.mailbox.zone))
    opens = definition.window.opens(given.now, zone)
    return Hold(step, opens, "outside the send window") if opens > given.now else None


# What ends the enrollment comes before what only delays it.
_CHECKS: tuple[Callable[[Due, SequenceDefinition, GateInput, int], Hold | End | None], ...] = (
    _reachable,
    _allowed,
    _paused,
    _window,
)
