"""The events that benchmarks append: like real ones in size and spread, and the same every time."""

import random
from collections.abc import Iterator

from activity.event import Event


def outbound_mail(count: int, tenants: int, first_tenant: int = 1) -> Iterator[Event]:
    """Yield `email.sent` events, turn by turn of each tenant, of 3,000 accounts and 20,000 contacts."""
    spread = random.Random(1)  # a benchmark's data, not a secret
    for n in range(count):
        yield Event(
            tenant_id=first_tenant + n % tenants,
            type="email.sent",
            source="sequence",
            actor="ana.ruiz@example.com",
            account_id=f"acc_{spread.randrange(3000)}",
            contact_id=f"con_{spread.randrange(20000)}",
            record_type="thread",
            record_id=f"th_{n}",
            payload={
                "subject": f"Renewal terms for Acme {n}",
                "from_address": "ana.ruiz@example.com",
                "to_address": f"jo.park{n}@example.com",
                "message_id": f"<{n}.abc@example.com>",
                "sequence": "Outbound Q4",
                "step": 3,
            },
        )
