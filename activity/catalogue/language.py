"""How a language writes summaries, numbers, money and moments.

Fixed here, so that a summary never changes with a library or a locale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

# ISO 4217 currencies that have no minor unit.
# fmt: off
_WHOLE = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
    "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
))
# fmt: on
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language of summaries. `sentences` holds the templates by payload version and type."""

    thousands: str
    point: str
    day: str
    recorded: str
    erased: str
    titles: Mapping[str, str]
    words: Mapping[str, Mapping[object, str]]
    sentences: Mapping[int, Mapping[str, str]]

    def number(self, value: str | float, places: int = 0) -> str:
        """The number with grouped thousands, at least `places` and at most six decimals."""
        exact = Decimal(str(value)).normalize(_EXACT)
        shown = min(6, max(places, -int(exact.as_tuple().exponent)))
        rounded = exact.quantize(Decimal((0, (1,), -shown)), context=_EXACT) or Decimal((0, (0,), -shown))
        return f"{rounded:,f}".translate({ord(","): self.thousands, ord("."): self.point})

    def money(self, value: str | float, currency: str | None) -> str:
        """The amount in the currency's usual decimals, then its code."""
        amount = self.number(value, 0 if currency in _WHOLE else 2)
        return f"{amount} {currency}" if currency else amount

    def moment(self, value: date) -> str:
        """The day, and for a datetime the minute, in UTC."""
        if not isinstance(value, datetime):
            return self.day.format(value)
        try:
            value = value.astimezone(UTC)
        except OverflowError:  # within a day of year 1 or 9999 there is no UTC moment to convert to
            return value.isoformat()
        return f"{self.day.format(value)} {value.hour:02d}:{value.minute:02d} UTC"


def duration(seconds: float) -> str:
    """A length of time in its two largest of h, min and s, which are the same in every language here."""
    minutes, s = divmod(int(seconds), 60)
    h, m = divmod(minutes, 60)
    units = ((h, "h"), (m, "min")) if h else ((m, "min"), (s, "s"))
    return " ".join(f"{n} {unit}" for n, unit in units if n) or "0 s"
