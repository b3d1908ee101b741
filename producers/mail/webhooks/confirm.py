"""Confirm a subscription at the address that was composed for it."""

from db.engine import begin
from db.mail import sources
from db.mail.sources import ClaimedSource
from producers import http


def confirm(row: ClaimedSource, url: str) -> None:
    """Visit the address and forget it. Raises OutboundFailed."""
    answer = http.send("GET", url, redirects=0)
    if answer.status != 200:
        raise http.OutboundFailed(f"the confirmation was answered with {answer.status}")
    with begin("producer", row.tenant_id) as session:
        sources.mark_confirmed(session, row.id)
