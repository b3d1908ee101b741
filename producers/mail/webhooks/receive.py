"""Accept a provider's request.

Check its proof, read it, match it and record it, all before it is answered.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from db.engine import EVERY_TENANT, begin
from db.mail import reports, sources
from db.mail.sources import MailSource, MailSourceNotFound
from producers.mail import report
from producers.mail.event import MailEvent
from producers.mail.webhooks import sns
from producers.mail.webhooks.registry import PROVIDERS, authenticate
from producers.mail.webhooks.request import Check, InvalidReport, Request
from worker.nudge import nudge_after_commit

log = structlog.get_logger()

MAX_EVENTS = 10_000
POLL = "webhook.poll"

clock: Callable[[], float] = time.time  # a test sets another: old signatures are judged by their own time


class RequestResult(NamedTuple):
    """What became of a request: events that are new, repeats, and reports of kinds that we do not know."""

    new: int
    repeated: int
    unknown: int


def receive(provider: str, public_id: str, request: Request) -> RequestResult:
    """Record a request; on return all of it is durable.

    Raises MailSourceNotFound, InvalidProof, InvalidReport.
    """
    with begin("producer", EVERY_TENANT) as session:
        source = sources.find(session, public_id)
    if source is None or source.provider != provider or provider not in PROVIDERS:
        raise MailSourceNotFound(
            "no webhook source has this address: `activity source list` shows those there are"
        )
    checks = [
        Check(secret=secret, now=clock(), tolerance_s=source.tolerance_s, url=source.url or "")
        for secret in source.secrets
    ]
    authenticate(PROVIDERS[provider], request, checks, source.unsigned)
    events = PROVIDERS[provider].parse(request)
    if len(events) > MAX_EVENTS:
        raise InvalidReport(f"{len(events)} events in one request: at most {MAX_EVENTS} are accepted")
    return _record(source, events, request)


def _record(source: MailSource, events: Sequence[MailEvent], request: Request) -> RequestResult:
    known = [event for event in events if event.kind != "unknown"]
    with begin("producer", source.tenant_id) as session:
        sources.mark_received(session, source.id)
        ids = {report.event_id(source.provider, event): event for event in events}
        fresh = reports.unseen(session, source.tenant_id, ids.keys())
        for name, number in Counter(
            event.name for id_, event in ids.items() if id_ in fresh and event.kind == "unknown"
        ).items():
            reports.count_unknown(session, source.tenant_id, source.id, name, number)
        new = [(id_, event) for id_, event in ids.items() if id_ in fresh and event.kind != "unknown"]
        emitted = report.record(session, source.tenant_id, source.provider, new)
        if not events:
            reports.count_unknown(session, source.tenant_id, source.id, "nothing in it", 1)
        if (
            source.provider == "ses"
            and sns.ANY_TOPIC not in source.secrets
            and (url := sns.confirmation(request))
        ):
            sources.confirm_later(session, source.id, url)
            nudge_after_commit(session, POLL)
    log.info(
        "webhook_taken", provider=source.provider, source=source.public_id, events=len(events), new=emitted
    )
    return RequestResult(len(new), len(events) - len(fresh), len(events) - len(known))
