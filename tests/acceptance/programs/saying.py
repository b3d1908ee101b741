"""A producer process: says events until it is ended, and prints the id of each once its commit returned.

Arguments: tenant ids. About every fifth transaction says an earlier event again; some are rolled back.
"""

import random
import sys
import time

from sqlalchemy.exc import DBAPIError

from activity.event import Event
from db.engine import begin
from worker.emit import emit


def main() -> None:
    tenants, dice = [int(tenant) for tenant in sys.argv[1:]], random.Random()
    said: list[Event] = []
    while True:
        events = [
            Event(
                tenant_id=dice.choice(tenants),
                type="note.added",
                source="test",
                account_id="acme",
                payload={"text": "x" * dice.randrange(1, 300)},
            )
            for _ in range(dice.randrange(1, 6))
        ]
        if said and dice.random() < 0.2:
            events.append(dice.choice(said))
        try:
            with begin("producer") as session:
                emit(session, events)
                if dice.random() < 0.05:
                    session.rollback()
                    continue
        except DBAPIError:
            time.sleep(
                0.05
            )  # the server is away: whether the commit took place is unknown, so nothing is claimed
            continue
        said = (said + events)[-100:]
        sys.stdout.write("".join(f"{event.tenant_id} {event.event_id}\n" for event in events))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
