"""What passes have committed for them, and the replies."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from producers.enrichment.calls.results import CallResult
from producers.enrichment.passes import Work
from producers.enrichment.provider import Question
from producers.enrichment.waterfall import ProviderCall


@dataclass(frozen=True)
class CallPermitted:
    """Make the call. Its price is reserved from the budget of `month`."""

    provider: str
    attempt: int
    reserved: Decimal
    month: date


@dataclass(frozen=True)
class CallSkipped:
    """Don't make the call, for this reason."""

    reason: str


class LostClaim:
    """Another worker holds the pass by now: leave it."""


class Finished:
    """The pass has ended, or is put off."""


UpdateReply = LostClaim | Finished | CallPermitted | CallSkipped | CallResult
"""A CallResult is an answer from the cache, which spares the call."""


class EndedCall(NamedTuple):
    """A permitted call that was made; `key` is its question's, for the cache."""

    permitted: CallPermitted
    key: str
    result: CallResult


@dataclass(frozen=True)
class StartCall:
    """The pass has one more call to make. `ended` is the call before it, if any."""

    work: Work
    ended: EndedCall | None
    call: ProviderCall
    question: Question
    key: str


@dataclass(frozen=True)
class FinishPass:
    """The pass has no more calls to make."""

    work: Work
    ended: EndedCall | None


@dataclass(frozen=True)
class FailPass:
    """The pass ends by an internal error."""

    work: Work
    reason: str


@dataclass(frozen=True)
class PostponePass:
    """The provider had no turn for a permitted call: the pass goes on later."""

    work: Work
    permitted: CallPermitted


PassUpdate = StartCall | FinishPass | FailPass | PostponePass
