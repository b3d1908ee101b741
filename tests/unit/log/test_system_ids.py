"""The ids of the system's own events: nobody outside can take one first."""

from pathlib import Path
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.errors import InvalidEvent
from activity.event import Event, system_id
from activity.validation import check_outsider

ROOT = Path(__file__).parents[3]
OF_OUTSIDERS = {  # ids that callers and providers gave, and such as no event has
    "activity/event.py",
    "api/log/cloudevents.py",
    "api/log/receipts.py",
    "producers/demo/story.py",
    "producers/enrichment/passes.py",
    "producers/imports/mapping.py",
    "producers/imports/rules.py",
    "producers/playbooks/schedule.py",
    "producers/records/upserts.py",
    "producers/sequences/mail.py",
    "producers/signals/rules.py",
    "worker/foreign.py",
}


def event(event_id: UUID) -> Event:
    return Event(
        tenant_id=1, type="note.added", payload={"text": "x"}, source="crm", account_id="a", event_id=event_id
    )


@given(st.uuids(), st.text(max_size=50))
def test_an_id_of_the_system_is_the_same_on_every_call_and_refused_from_outside(
    namespace: UUID, name: str
) -> None:
    id_ = system_id(namespace, name)
    assert (id_, id_.version) == (system_id(namespace, name), 8)
    assert id_ != system_id(namespace, name + "x")
    with pytest.raises(InvalidEvent, match="system's own"):
        check_outsider(event(id_))
    check_outsider(event(uuid5(namespace, name)))


def test_whoever_makes_an_id_of_a_name_is_the_system_or_says_an_outsiders() -> None:
    using = {
        path.relative_to(ROOT).as_posix()
        for layer in ("activity", "api", "cli", "db", "feed", "producers", "worker")
        for path in (ROOT / layer).rglob("*.py")
        if "uuid5(" in path.read_text()
    }
    assert using - OF_OUTSIDERS == set()
