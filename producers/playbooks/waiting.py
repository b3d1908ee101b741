"""Which events end a wait: live, looking back as the wait begins, and as its time is over."""

from datetime import datetime

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.playbooks import runs
from db.playbooks.runs import PlaybookRun
from producers.playbooks.definition.document import WaitForEvent, names, span
from producers.playbooks.definition.program import Operation
from producers.playbooks.facts import Load, facts_of
from producers.playbooks.matching import moment

_PAGE = 1_000


def deadline(step: WaitForEvent, since: datetime) -> datetime:
    """Return until when an awaited event must have happened."""
    return since + span(step.within)


def ends_wait(
    run: PlaybookRun, operation: Operation, event: RecordedEvent, since: datetime, load: Load
) -> bool:
    """Return whether an event is what the run waits for at this operation since that moment.

    It must have happened in time, however late it was recorded or is looked at. What the run did itself does
    not count; the answer of an enrichment that it asked for does.
    """
    assert isinstance(operation.step, WaitForEvent)
    own = event.event_id == run.started_id or (
        event.cause_id == run.started_id and event.source != "enrichment"
    )
    return (
        not own
        and moment(event) <= deadline(operation.step, since)
        and operation.is_met(facts_of(run.subjects, run.started_by, event, load))
    )


def look_back(
    session: Session,
    run: PlaybookRun,
    operation: Operation,
    subject: tuple[str, str],
    since: datetime,
    after: int,
    load: Load,
) -> RecordedEvent | None:
    """Return the first event about a subject, recorded after number `after`, that ends the wait."""
    assert isinstance(operation.step, WaitForEvent)
    wanted = names(operation.step.event)
    while True:
        page = runs.events_about(session, *subject, run.account_id, wanted, after, _PAGE)
        for event in page:
            if ends_wait(run, operation, event, since, load):
                return event
        if len(page) < _PAGE:
            return None
        after = page[-1].seq
