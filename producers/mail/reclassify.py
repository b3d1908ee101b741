"""Judge opens and clicks anew.

Each verdict that differs is appended as `event.classified`; what was said before stays as it is.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from activity.event import Event, system_id
from db.engine import begin
from db.mail import engagements
from db.mail.engagements import Engagement
from producers.mail.machine import RULE_VERSION, Verdict, classify
from worker.emit import emit

_NAMESPACE = UUID(
    "d3c0a7ce-4f0e-5b6c-9a51-6b7f8e9d0c12"
)  # any fixed one: ids made of it are the same for ever
_AT_ONCE = timedelta(seconds=10)
PAGE = 2000


def judge_all(tenant: int, page: int = PAGE) -> Iterator[Counter[str]]:
    """Judge every open and click of a workspace by today's rules; yield what came of each page.

    Safe to interrupt and to repeat.
    """
    after = 0
    while True:
        with begin("reader", tenant) as session:
            found = engagements.page(session, tenant, after, page)
        if not found:
            return
        verdicts = list(zip(found, _verdicts(found), strict=True))
        changed = [
            _event(tenant, one, verdict) for one, verdict in verdicts if verdict.machine is not one.machine
        ]
        with begin("producer", tenant) as session:
            emit(session, changed)
        yield Counter(judged=len(found), changed=len(changed))
        after = found[-1].seq


def _verdicts(found: Sequence[Engagement]) -> Iterator[Verdict]:
    at_once = _links_at_once(found)
    for one in found:
        since = one.seconds
        if one.delivered_at is not None:  # reports arrive in any order: by now more may be known
            since = (one.occurred_at - one.delivered_at).total_seconds()
        yield classify(
            one.user_agent,
            provider_flag=one.provider_machine,
            seconds_since_delivery=since,
            method=one.method or "GET",
            referrer=one.referrer,
            links_at_once=at_once.get(one.event_id, 1),
        )


def _links_at_once(found: Sequence[Engagement]) -> dict[UUID, int]:
    """Return for each click how many different links of its mail were followed within ten seconds of it."""
    clicks: dict[tuple[str | None, str | None], list[Engagement]] = {}
    for one in found:
        if one.type == "email.clicked" and one.record_id:
            clicks.setdefault((one.record_id, one.contact_id), []).append(one)
    return {
        one.event_id: len(
            {other.url for other in of_mail if abs(other.occurred_at - one.occurred_at) <= _AT_ONCE}
        )
        for of_mail in clicks.values()
        for one in of_mail
    }


def _event(tenant: int, one: Engagement, verdict: Verdict) -> Event:
    payload = {
        "event_id": str(one.event_id),
        "event_type": one.type,
        "machine": verdict.machine,
        "rule": verdict.rule,
        "rule_version": RULE_VERSION,
    }
    return Event(
        tenant_id=tenant,
        type="event.classified",
        payload=payload,
        source="classify",
        account_id=one.account_id,
        contact_id=one.contact_id,
        record_type="event",
        record_id=str(one.event_id),
        cause_id=one.event_id,
        event_id=system_id(
            _NAMESPACE,
            f"{tenant}/{one.event_id}/{RULE_VERSION}/{verdict.machine}/{verdict.rule}/{one.machine}",
        ),
    )
