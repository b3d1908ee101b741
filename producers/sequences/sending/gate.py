"""The gate: whether a claimed enrolment's next mail may go out now; if not, why and until when. Decided in the transaction of the claim."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from db.sequences.sending import Due, Mailbox
from producers.sequences.definition import Definition, Email, Task, Wait
from producers.sequences.sending.quota import Quota
from producers.sequences.sending.window import zone_of

_ENDED = frozenset({"sent", "bounced", "unknown", "skipped"})


class Send(NamedTuple):
    """A mail may go: the step that it is of."""

    step: int
    email: Email


class Hold(NamedTuple):
    """Nothing goes now. Without `until` a person, who resumes what is paused, lets it go on."""

    step: int
    until: datetime | None
    reason: str | None


class End(NamedTuple):
    """The enrolment is over. `refused`: a mail that was due is not sent for this reason."""

    step: int
    reason: str
    refused: bool = True


class Passed(NamedTuple):
    """What the gate decided, and the tasks to be handed out on the way."""

    verdict: Send | Hold | End
    tasks: tuple[tuple[int, Task], ...] = ()  # by step


class World(NamedTuple):
    """What the gate sees beside the enrolment itself."""

    now: datetime
    mailbox: Mailbox
    quotas: Sequence[Quota]
    suppressed: Mapping[tuple[int, str], str]


def after(definition: Definition, step: int) -> tuple[int, timedelta]:
    """Return the step that follows `step`, and how long the waits between them are."""
    wait = timedelta()
    while isinstance(following := definition.step(step := step + 1), Wait):
        wait += following.length
    return step, wait


def judge(due: Due, definition: Definition, world: World) -> Passed:
    """Walk from the enrolment's step to the next mail that is not sent yet, and say what becomes of it."""
    step = due.step
    tasks: list[tuple[int, Task]] = []
    made = {mail.step: mail.state for mail in due.earlier}
    while True:
        at = definition.step(step)
        if at is None:
            return Passed(End(step, "completed", refused=False), tuple(tasks))
        if isinstance(at, Email) and made.get(step) not in _ENDED:
            return Passed(_mail(due, definition, world, step, at, made.get(step)), tuple(tasks))
        if isinstance(at, Task):
            tasks.append((step, at))
        step, wait = after(definition, step) if not isinstance(at, Wait) else after(definition, step - 1)
        if wait:
            return Passed(Hold(step, world.now + wait, None), tuple(tasks))


def _mail(
    due: Due, definition: Definition, world: World, step: int, email: Email, state: str | None
) -> Send | Hold | End:
    if (
        state == "sending"
    ):  # its worker may still be at it: the sweep of what is undecided says what became of it
        return Hold(step, world.now + timedelta(seconds=5), "waits for what became of the mail before")
    for check in _CHECKS:
        verdict = check(due, definition, world, step)
        if verdict is not None:
            return verdict
    for quota in world.quotas:
        refusal = quota.refuses(world.now)
        if refusal is not None:
            return Hold(step, *refusal)
    for quota in world.quotas:
        quota.take(world.now)
    return Send(step, email)


def _reachable(due: Due, _: Definition, __: World, step: int) -> End | None:
    if due.gone:
        return End(step, "the contact is gone")
    return None if due.email else End(step, "no e-mail address")


def _suppressed(due: Due, _: Definition, world: World, step: int) -> End | None:
    reason = world.suppressed.get((due.tenant_id, due.email or ""))
    return None if reason is None else End(step, f"suppressed: {reason}")


def _consent(due: Due, definition: Definition, _: World, step: int) -> End | None:
    if due.consent is False:
        return End(step, "consent withdrawn")
    return End(step, "no consent") if definition.consent == "opt_in" and not due.consent else None


def _paused(due: Due, _: Definition, world: World, step: int) -> Hold | None:
    if due.sequence_paused:
        return Hold(step, None, "sequence paused")
    box = world.mailbox
    return Hold(step, box.paused_until, f"mailbox paused: {box.paused_reason}") if box.paused else None


def _window(due: Due, definition: Definition, world: World, step: int) -> Hold | None:
    if definition.window is None:
        return None
    opens = definition.window.opens(world.now, zone_of((due.fields.get("time_zone"), world.mailbox.zone)))
    return Hold(step, opens, "outside the send window") if opens > world.now else None


# What ends the enrolment comes before what only delays it.
_CHECKS: tuple[Callable[[Due, Definition, World, int], Hold | End | None], ...] = (
    _reachable,
    _suppressed,
    _consent,
    _paused,
    _window,
)
