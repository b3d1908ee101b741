"""Who may not be written to: opting out and in, and what a person suppresses and lifts."""

from producers.mail.suppressions.by_hand import (
    ByHand,
    InvalidTarget,
    SuppressionNotFound,
    lift,
    set_consent,
    suppress,
)
from producers.mail.suppressions.listed import InvalidList, parts, read_list
from producers.mail.suppressions.opting import opt_in, opt_out

__all__ = [
    "ByHand",
    "InvalidList",
    "InvalidTarget",
    "SuppressionNotFound",
    "lift",
    "opt_in",
    "opt_out",
    "parts",
    "read_list",
    "set_consent",
    "suppress",
]
