"""A log as a file that can be verified where there is no database.

One JSON object a line, with all that the event's hash covers.
"""

from collections.abc import Iterable, Iterator
from typing import get_type_hints

import msgspec

from activity.chain import Link
from activity.errors import ActivityError
from db.engine import begin
from db.log import audit

# A link by its names: the payload as the very text that was hashed, what is bytes in base64.
_decode = msgspec.json.Decoder(
    msgspec.defstruct("Line", list(get_type_hints(Link).items()), forbid_unknown_fields=True)
).decode


def export(tenant_id: int) -> Iterator[bytes]:
    """Yield a tenant's log as lines, read as a stream. For the role auditor."""
    with begin("auditor") as session:
        for link in audit.chain(session, tenant_id):
            yield msgspec.json.encode(link._asdict()) + b"\n"


def links(lines: Iterable[bytes]) -> Iterator[Link]:
    """Yield the links of an exported log; raise ActivityError with the number of a line that is none."""
    for number, line in enumerate(lines, 1):
        try:
            yield Link(**msgspec.structs.asdict(_decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ActivityError(f"line {number} is none that `activity export` wrote: {error}") from None
