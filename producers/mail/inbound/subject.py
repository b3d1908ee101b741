"""The subject of an answer, whatever its program puts before it."""

import re

# Re:, AW:, RES:, [EXTERNAL] ..., also several and counted.
_BEFORE = re.compile(r"^\s*(\[[^\]]{1,40}\]\s*|[^\W\d_]{1,6}\.?\s?([\[(]\d+[\])])?\s*[:\uff1a]\s*)+")
_FORWARDED = re.compile(r"^\s*(fwd?|wg|tr|rv|enc|vl|vb|doorst|pd|转发|轉寄)\s*[:\uff1a]", re.IGNORECASE)


def answers(subject: str, sent: str | None) -> bool:
    """Return whether a subject is that of our mail with the mark of an answer before it."""
    before = _BEFORE.match(subject)
    if before is None or _FORWARDED.match(subject) or not re.search("[:\uff1a]", before[0]):
        return False
    return any(_same(subject[at:], sent or "") for at in _ends(before[0]))


def is_answer(subject: str) -> bool:
    """Return whether a subject is marked as an answer's or a forwarded mail's."""
    return bool(_BEFORE.match(subject))


def _ends(before: str) -> list[int]:
    """Return where a subject may begin: ours may itself begin with what looks like a mark."""
    return [found.end() for found in re.finditer(r"[:\uff1a\]]\s*", before)]


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
