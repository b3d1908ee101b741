"""What collects the events of the demo workspace."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from activity.event import Event
from db.records.records import Account, Contact, Opportunity

DAYS = 90
_NAMESPACE = UUID("3f2c7f0a-61d5-5b0e-8d7e-6b0b1e6d9a10")  # of the ids of all demo events


class Story:
    """Collects the events of ninety days; each gets its id from the order in which they are added."""

    def __init__(self, tenant: int, end: datetime) -> None:
        self.events: list[Event] = []
        self.dice = random.Random(90)  # noqa: S311  # the same throws each time are the point
        self._tenant = tenant
        self._start = end - timedelta(days=DAYS)

    def add(
        self,
        day: float,
        kind: str,
        payload: Mapping[str, object],
        *,
        about: Account | Contact | Opportunity,
        **more: Any,
    ) -> UUID:
        """Add an event on a day of the ninety; return its id, for others to name as their cause."""
        event_id = uuid5(_NAMESPACE, f"{kind} {len(self.events)}")
        if isinstance(about, Opportunity):
            more = {"record_type": "opportunity", "record_id": about.id, **more}
        self.events.append(
            Event(
                tenant_id=self._tenant,
                event_id=event_id,
                type=kind,
                payload=dict(payload),
                occurred_at=self._start + timedelta(days=min(day, DAYS)),
                account_id=about.id if isinstance(about, Account) else about.account_id,
                contact_id=about.id if isinstance(about, Contact) else None,
                **{"source": "manual", "actor": "system", **more},
            )
        )
        return event_id
