"""Circuit breakers: a provider that keeps failing is left alone for a while, by every worker, and one call then tries it again."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.enrichment import ledger
from producers.enrichment.configuration import Configuration
from producers.enrichment.passes import Ended


class Breakers:
    """The view that a process has of the breakers, which are kept in PostgreSQL for all."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._open_until: dict[str, datetime] = {}
        self._failing: set[str] = set()

    def read(self, session: Session) -> None:
        """Read how every provider is doing."""
        rows = ledger.providers(session)
        self._open_until = {row.name: row.open_until for row in rows if row.open_until is not None}
        self._failing = {row.name for row in rows if row.failures}

    def refusal(self, session: Session, provider: str) -> str | None:
        """Return why a provider may not be called now, or None. Of those who ask once its time is over, one gets None and tries."""
        until = self._open_until.get(provider)
        if until is None:
            return None
        if until <= datetime.now(UTC) and ledger.probe(
            session, provider, self._config.providers[provider].breaker_s
        ):
            return None
        return f"left alone until {until:%H:%M:%S} UTC, since it kept failing"

    def report(self, session: Session, ended: Sequence[Ended]) -> None:
        """Write down how calls ended; a success closes the breaker."""
        answered = {end.provider for end in ended if end.found is not None}
        recovered = answered & (self._failing | self._open_until.keys())
        if recovered:
            ledger.report_success(session, sorted(recovered))
        failed: dict[str, list[Ended]] = {}
        for end in ended:
            if end.found is None and end.provider not in answered:
                failed.setdefault(end.provider, []).append(end)
        if failed:
            ledger.report_failures(
                session,
                [
                    {
                        "name": name,
                        "failures": len(ends),
                        "reason": ends[-1].reason,
                        "threshold": self._config.providers[name].breaker_failures,
                        "seconds": self._config.providers[name].breaker_s,
                    }
                    for name, ends in failed.items()
                ],
            )
        if failed or recovered:
            self.read(session)
