"""How deep markup from outside is nested.

The HTML parser's time grows with the square of it, so depth is an attack.
"""

import re

DEEPEST = 500
_TAG = re.compile(rb"<(/?)([a-z][a-z0-9-]*)")
_RAW = {b"script", b"style", b"textarea", b"title"}  # what looks like a tag within is none
_CLOSED_BY_OTHERS = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li dt dd td th tr thead tbody tfoot "
    b"option optgroup body html head"
    b" path circle ellipse line polygon polyline rect stop use image".split()
)


def too_deep(body: bytes) -> bool:
    """Say whether elements are nested too deep to be parsed.

    For each one that opens, the parser looks at all that are open.
    """
    lower, depth, at = body.lower(), 0, 0
    while match := _TAG.search(lower, at):
        at = match.end()
        end, name = match.groups()
        if name in _RAW and not end:
            at = lower.find(b"</" + name, at)
            if at < 0:
                break
        elif name not in _CLOSED_BY_OTHERS:
            depth = max(0, depth + (-1 if end else 1))
        if depth > DEEPEST:
            return True
    return False
