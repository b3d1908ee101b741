"""Circuit breakers: all workers leave a failing provider alone; after a while one call tries it again."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.enrichment import providers
from db.enrichment.providers import FailureReport
from producers.enrichment.calls.results import CallResult
from producers.enrichment.configuration import Configuration


class Breakers:
    """A process's view of the breakers, whose state is in PostgreSQL."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._open_until: dict[str, datetime] = {}
        self._failing: set[str] = set()

    def read(self, session: Session) -> None:
        """Read how every provider is doing."""
        states = providers.states(session)
        self._open_until = {one.name: one.open_until for one in states if one.open_until is not None}
        self._failing = {one.name for one in states if one.failures}

    def refusal(self, session: Session, provider: str) -> str | None:
        """Return why a provider may not be called now, or None.

        Once its breaker's time is over, one of the callers gets None and tries it.
        """
        until = self._open_until.get(provider)
        if until is None:
            return None
        seconds = self._config.providers[provider].breaker_s
        if until <= datetime.now(UTC) and providers.probe(session, provider, seconds):
            return None
        return f"left alone until {until:%H:%M:%S} UTC, since it kept failing"

    def report(self, session: Session, results: Iterable[CallResult]) -> None:
        """Record what calls came to; an answer closes its provider's breaker."""
        by_provider: dict[str, list[CallResult]] = {}
        for result in results:
            by_provider.setdefault(result.provider, []).append(result)
        failed = {name: came for name, came in by_provider.items() if all(one.found is None for one in came)}
        recovered = (by_provider.keys() - failed) & (self._failing | self._open_until.keys())
        if recovered:
            providers.report_success(session, sorted(recovered))
        if failed:
            providers.report_failures(session, [self._report(*one) for one in failed.items()])
        if failed or recovered:
            self.read(session)

    def _report(self, name: str, failed: list[CallResult]) -> FailureReport:
        config = self._config.providers[name]
        return FailureReport(name, len(failed), failed[-1].reason, config.breaker_failures, config.breaker_s)
