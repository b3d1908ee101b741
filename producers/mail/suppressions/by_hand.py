"""What a person does to the ledger by hand or by a list: each change of it emits an event that names them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from activity.address import InvalidDomain, ascii_domain, canonical
from activity.errors import ActivityError, InvalidEvent
from activity.event import Event
from activity.validation import MAX_NAME, check_actor
from db.mail import sent, soft_bounces, suppression
from db.mail.sent import ContactRef
from db.mail.suppression import REASONS, Provenance, Reason
from producers.mail.suppressions.opting import opt_in, opt_out
from worker.emit import emit

SOURCE = "suppression"
_LONGEST_NOTE = 1000
_TARGET = re.compile(r"([^\s@\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}@)?[^\s@\x00-\x1f\x7f-\x9f]{1,253}")
_LABELS = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")


class InvalidTarget(ActivityError, ValueError):
    """A text that is neither an address nor a domain."""


class SuppressionNotFound(ActivityError):
    """Nothing that could be lifted stands against an address."""


class ByHand(NamedTuple):
    """Who does it, by which way (such as "cli"), and why, in words."""

    by: str
    way: str
    note: str | None = None


def check_target(target: str) -> str:
    """Return an address or a domain in its one spelling. Raises InvalidTarget."""
    found = suppression.key(target)
    try:
        known = _TARGET.fullmatch(found) and _LABELS.fullmatch(ascii_domain(found.rpartition("@")[2]))
    except InvalidDomain:
        known = None
    if not known:
        raise InvalidTarget(f"{target[:100]!r} is neither an address nor a domain such as acme.example")
    return found


def suppress(session: Session, tenant: int, targets: Iterable[str], reason: Reason, hand: ByHand) -> int:
    """Suppress addresses and domains; return how many that was new for. A repeat changes nothing.

    Raises InvalidTarget, before anything is changed, and InvalidEvent for an actor who is none.
    """
    _check(hand)
    wanted = {check_target(target): target for target in targets}
    contacts = _contacts(session, tenant, wanted)
    events = []
    for target in wanted:
        id_ = uuid7()
        given = Provenance(hand.way, hand.by, hand.note, id_)
        if suppression.add(session, tenant, target, reason, given) is not None:
            events.append(_event("email.suppressed", tenant, target, contacts, hand, id_, reason))
    emit(session, events)
    return len(events)


def lift(
    session: Session, tenant: int, target: str, hand: ByHand, reasons: Sequence[Reason] = REASONS
) -> list[Reason]:
    """Lift what stands against an address or a domain; return for which reasons it stood.

    Consent that was withdrawn stays so. Raises InvalidTarget, InvalidEvent and SuppressionNotFound.
    """
    _check(hand)
    known = check_target(target)
    contacts, target = _contacts(session, tenant, {known: target}), known
    found = suppression.lift(session, tenant, target, reasons, by=hand.by, note=hand.note)
    if not found:
        raise SuppressionNotFound(
            f"nothing that could be lifted stands against {target}: `activity suppression explain` shows all"
        )
    if "@" in target:
        soft_bounces.forget(session, tenant, target)
    lifted = sorted({one.reason for one in found})
    emit(
        session,
        _event("email.suppression_lifted", tenant, target, contacts, hand, uuid7(), ", ".join(lifted)),
    )
    return lifted


def set_consent(session: Session, tenant: int, address: str, granted: bool, hand: ByHand) -> bool:
    """Record that a person gave or withdrew consent, as they said to somebody; return whether it is new.

    Raises InvalidTarget and InvalidEvent.
    """
    _check(hand)
    known = check_target(address)
    contacts, address = _contacts(session, tenant, {known: address}), known
    if "@" not in address:
        raise InvalidTarget(f"{address} is a domain: consent is of one address")
    id_ = uuid7()
    given = Provenance(hand.way, hand.by, hand.note, id_)
    if not (opt_in if granted else opt_out)(session, tenant, address, given):
        return False
    kind = "email.consent_given" if granted else "email.consent_withdrawn"
    emit(session, _event(kind, tenant, address, contacts, hand, id_))
    return True


def _check(hand: ByHand) -> None:
    check_actor(hand.by)
    if len(hand.by) > MAX_NAME:
        raise InvalidEvent("actor", "the address is too long", f"give one of at most {MAX_NAME} characters")
    if hand.note is not None and not (len(hand.note) <= _LONGEST_NOTE and hand.note.isprintable()):
        raise InvalidEvent(
            "note", "it is too long or not printable", f"write one line of at most {_LONGEST_NOTE} characters"
        )


def _contacts(session: Session, tenant: int, wanted: Mapping[str, str]) -> dict[str, ContactRef]:
    """Return the contacts of some addresses, however a record spells them."""
    asked = {canonical(written): known for known, written in wanted.items() if "@" in known}
    found = sent.contacts_by_address(session, tenant, asked)
    return {asked[address]: contact for address, contact in found.items()}


def _event(
    kind: str,
    tenant: int,
    target: str,
    contacts: Mapping[str, ContactRef],
    hand: ByHand,
    id_: UUID,
    reason: str | None = None,
) -> Event:
    contact = contacts.get(target)
    payload = {"address": target, "reason": reason and reason.replace("_", " "), "note": hand.note}
    return Event(
        tenant_id=tenant,
        type=kind,
        source=SOURCE,
        actor=hand.by,
        account_id=contact and contact.account_id,
        contact_id=contact and contact.contact_id,
        record_type="suppression",
        record_id=str(id_),
        event_id=id_,
        payload={name: value for name, value in payload.items() if value is not None},
    )
