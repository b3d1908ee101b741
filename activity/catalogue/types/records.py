"""Contacts and accounts coming, changing, joining and going, and the files they are imported from."""

from typing import Annotated

from msgspec import Meta

from activity.event_type import (
    Address,
    Category,
    Count,
    EventType,
    FieldChange,
    Id,
    Line,
    Name,
    Payload,
    Seconds,
    Tone,
)

Changes = Annotated[tuple[FieldChange, ...], Meta(max_length=1_000)]


class ContactAdded(Payload, frozen=True, kw_only=True):
    """A contact was created."""

    name: Annotated[Name | None, Meta(description="The contact's name")] = None
    email: Annotated[Address | None, Meta(description="The contact's e-mail address")] = None
    title: Annotated[Name | None, Meta(description="The contact's job title")] = None
    account_name: Annotated[Name | None, Meta(description="The account the contact belongs to")] = None


class ContactUpdated(Payload, frozen=True, kw_only=True):
    """Fields of a contact changed."""

    changes: Annotated[Changes, Meta(description="What changed, field by field")]
    name: Annotated[Name | None, Meta(description="The contact's name")] = None


class ContactMerged(Payload, frozen=True, kw_only=True):
    """A contact was merged into another one, which stays."""

    merged_id: Annotated[Id, Meta(description="The contact that was merged and is gone", min_length=1)]
    merged_name: Annotated[Name | None, Meta(description="Its name")] = None
    name: Annotated[Name | None, Meta(description="The name of the contact that stays")] = None


class ContactErased(Payload, frozen=True, kw_only=True):
    """A contact was erased on request. It names no person."""

    reason: Annotated[
        Line | None, Meta(description="Why, such as a request of the person; no personal data")
    ] = None
    request_id: Annotated[Id | None, Meta(description="The request in the privacy register")] = None


class AccountAdded(Payload, frozen=True, kw_only=True):
    """An account was created."""

    name: Annotated[Name | None, Meta(description="The account's name")] = None
    domain: Annotated[Name | None, Meta(description="The account's web domain")] = None
    parent_name: Annotated[Name | None, Meta(description="The account above it")] = None


class AccountUpdated(Payload, frozen=True, kw_only=True):
    """Fields of an account changed."""

    changes: Annotated[Changes, Meta(description="What changed, field by field")]
    name: Annotated[Name | None, Meta(description="The account's name")] = None


class AccountParentChanged(Payload, frozen=True, kw_only=True):
    """An account came under another parent, or has none any more."""

    name: Annotated[Name | None, Meta(description="The account's name")] = None
    from_parent: Annotated[
        Name | None, Meta(description="The name of the parent before; absent when there was none")
    ] = None
    to_parent: Annotated[
        Name | None, Meta(description="The name of the parent after; absent when there is none")
    ] = None
    from_parent_id: Annotated[Id | None, Meta(description="The parent before")] = None
    to_parent_id: Annotated[Id | None, Meta(description="The parent after")] = None


class AccountMerged(Payload, frozen=True, kw_only=True):
    """An account was merged into another one, which stays."""

    merged_id: Annotated[Id, Meta(description="The account that was merged and is gone", min_length=1)]
    merged_name: Annotated[Name | None, Meta(description="Its name")] = None
    name: Annotated[Name | None, Meta(description="The name of the account that stays")] = None


class ImportCompleted(Payload, frozen=True, kw_only=True):
    """An import of records ended."""

    rows: Annotated[Count, Meta(description="How many rows were read")]
    file_name: Annotated[Name | None, Meta(description="The file's name")] = None
    kind: Annotated[Name | None, Meta(description="What was imported, such as contacts")] = None
    added: Annotated[Count | None, Meta(description="Rows that made a new record")] = None
    updated: Annotated[Count | None, Meta(description="Rows that changed a record")] = None
    skipped: Annotated[Count | None, Meta(description="Rows that changed nothing")] = None
    failed: Annotated[Count | None, Meta(description="Rows that were refused")] = None
    duration_s: Annotated[Seconds | None, Meta(description="How long it took, in seconds")] = None


_MERGED = {"merged_id": "a_31", "merged_name": "ACME Inc", "name": "Acme"}

TYPES = (
    EventType(
        name="contact.added",
        payload=ContactAdded,
        category=Category.RECORDS,
        icon="user-plus",
        tone=Tone.GREY,
        title="Contact added",
        record_type="contact",
        example={
            "name": "Jo Park",
            "email": "jo.park@acme.example",
            "title": "Head of IT",
            "account_name": "Acme",
        },
    ),
    EventType(
        name="contact.updated",
        payload=ContactUpdated,
        category=Category.RECORDS,
        icon="user-round-pen",
        tone=Tone.GREY,
        title="Contact updated",
        record_type="contact",
        foldable=True,
        example={"name": "Jo Park", "changes": [{"field": "title", "from": "Head of IT", "to": "CIO"}]},
    ),
    EventType(
        name="contact.merged",
        payload=ContactMerged,
        category=Category.RECORDS,
        icon="merge",
        tone=Tone.GREY,
        title="Contacts merged",
        record_type="contact",
        example={"merged_id": "c_88", "merged_name": "J. Park", "name": "Jo Park"},
    ),
    EventType(
        name="contact.erased",
        payload=ContactErased,
        category=Category.PRIVACY,
        icon="user-x",
        tone=Tone.RED,
        title="Contact erased",
        record_type="contact",
        example={"reason": "request of the person", "request_id": "dsr-2026-014"},
    ),
    EventType(
        name="account.added",
        payload=AccountAdded,
        category=Category.RECORDS,
        icon="building-2",
        tone=Tone.GREY,
        title="Account added",
        record_type="account",
        example={"name": "Acme", "domain": "acme.example", "parent_name": "Acme Holding"},
    ),
    EventType(
        name="account.updated",
        payload=AccountUpdated,
        category=Category.RECORDS,
        icon="building-2",
        tone=Tone.GREY,
        title="Account updated",
        record_type="account",
        foldable=True,
        example={
            "name": "Acme",
            "changes": [
                {"field": "industry", "from": "Retail", "to": "Logistics"},
                {"field": "employees", "from": 120, "to": 140},
            ],
        },
    ),
    EventType(
        name="account.parent_changed",
        payload=AccountParentChanged,
        category=Category.HIERARCHY,
        icon="network",
        tone=Tone.GREY,
        title="Parent account changed",
        record_type="account",
        example={
            "name": "Acme",
            "from_parent": "Acme Holding",
            "to_parent": "Globex",
            "from_parent_id": "a_2",
            "to_parent_id": "a_9",
        },
    ),
    EventType(
        name="account.merged",
        payload=AccountMerged,
        category=Category.HIERARCHY,
        icon="merge",
        tone=Tone.GREY,
        title="Accounts merged",
        record_type="account",
        example=_MERGED,
    ),
    EventType(
        name="import.completed",
        payload=ImportCompleted,
        category=Category.RECORDS,
        icon="import",
        tone=Tone.GREY,
        title="Import completed",
        record_type="import",
        example={
            "rows": 12480,
            "file_name": "contacts.csv",
            "kind": "contacts",
            "added": 11200,
            "updated": 1054,
            "skipped": 200,
            "failed": 26,
            "duration_s": 94.2,
        },
    ),
)
