"""What the expressions of a playbook may see: its events, and its records, each loaded once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from activity.event import RecordedEvent
from db.records import values

Record = dict[str, Any]  # a record's columns by name, with its own fields under `fields`
Load = Callable[[str, Iterable[str]], Mapping[str, Record]]  # (kind, ids) -> the records by id
KINDS = ("account", "contact", "opportunity")


def record_loader(session: Session, tenant: int) -> Load:
    """Return what loads records of the workspace, each once."""
    cache: dict[str, dict[str, Record | None]] = {}

    def load(kind: str, ids: Iterable[str]) -> Mapping[str, Record]:
        known, wanted = cache.setdefault(kind, {}), set(ids)
        missing = wanted - known.keys()
        if missing:
            found = values.read(session, tenant, kind, sorted(missing))
            known.update((id, found.get(id)) for id in missing)
        return {id: record for id in wanted if (record := known[id]) is not None}

    return load


def facts_of(
    subjects: Mapping[str, str], trigger: RecordedEvent | None, event: RecordedEvent | None, load: Load
) -> dict[str, object]:
    """Return what a run's expressions may see; `event` is the last one it waited for, or its trigger.

    `subjects` are the ids of the account, contact and opportunity it is about, where there is one.
    """
    facts: dict[str, object] = {"trigger": trigger, "event": event}
    if event:
        facts["now"] = event.recorded_at
    for kind in KINDS:
        id = subjects.get(kind)
        facts[kind] = load(kind, [id]).get(id) if id else None
    return facts
