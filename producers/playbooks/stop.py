"""End runs before their end, or hold them: by hand, or because the person whom they are about was erased."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.playbooks import runs
from db.playbooks.runs import PlaybookRun
from producers.playbooks.definition import cache
from producers.playbooks.events import ended
from worker.emit import emit


def stop(session: Session, run: PlaybookRun, state: str, by: str, reason: str | None) -> str:
    """Let a run whose claim is revoked be cancelled or paused, with an event; return its state."""
    program = cache.program(session, run.playbook_id, run.version)
    runs.stop_waiting(session, run.id)
    emit(session, ended(run, program, state, done=run.done, at=run.at, reason=reason, actor=by))
    over = datetime.now(UTC) if state == "cancelled" else None
    runs.update(session, run.id, state=state, due_at=None, reason=reason, ended_at=over)
    return state


def cancel_about(session: Session, tenant: int, contact: str, by: str, reason: str) -> None:
    """Cancel what is under way about a contact, or can be retried; whoever works on it loses it."""
    for id in runs.open_about(session, tenant, contact):
        stop(session, runs.revoke_claim(session, tenant, id), "cancelled", by, reason)
