"""English sentences. A template that events were shown with stays; a new payload version gets its own."""

from activity.catalogue.language import Language

_V1 = {
    "email.sent": (
        "sent [“{subject}”|an email][ to {to_name}| to {to_address}]"
        "[ ({sequence}, step {step})| ({sequence})]"
    ),
    "email.delivered": "delivered [“{subject}”|an email][ to {recipient}]",
    "email.deferred": "deferred [“{subject}”|an email][ to {recipient}][: {reason}|: {status}]",
    "email.opened": "opened [“{subject}”|an email][ ({machine:=machine})]",
    "email.clicked": "clicked {url:link}[ in “{subject}”][ ({machine:=machine})]",
    "email.bounced": (
        "could not deliver [“{subject}”|an email][ to {recipient}][ ({bounce_type:=bounce})]"
        "[: {reason}|: {status}]"
    ),
    "email.replied": "received a reply[ from {from_name}| from {from_address}][ to “{subject}”][: {excerpt}]",
    "email.auto_replied": (
        "received an automatic reply[ from {from_name}| from {from_address}][ to “{subject}”]"
        "[, back {back_at:when}]"
    ),
    "email.received": (
        "received an email[ from {from_name}| from {from_address}][ about “{subject}”][: {excerpt}]"
    ),
    "email.subscribed": "subscribed [{recipient}|a recipient] again[ to {list_name}][ ({method})]",
    "email.unsubscribed": "unsubscribed [{recipient}|a recipient][ from {list_name}][ ({method})]",
    "email.complained": "reported [“{subject}”|an email] as spam",
    "email.rejected": "did not send [“{subject}”|an email][ to {recipient}][: {reason}]",
    "email.suppressed": "suppressed {address}[: {reason}][ ({note})]",
    "email.suppression_lifted": "allowed mail to {address} again[ after: {reason}][ ({note})]",
    "email.consent_given": "recorded that {address} agrees to mail[ ({note})]",
    "email.consent_withdrawn": "recorded that {address} wants no more mail[ ({note})]",
    "mailbox.paused": "paused the mailbox {mailbox}[ until {until:when}][: {reason}]",
    "call.completed": "logged [an {direction:=direction}|a] call[ with {contact_name}| with {phone}]"
    "[ ({duration_s:duration})][: {outcome}]",
    "call.missed": "missed [an {direction:=direction}|a] call[ with {contact_name}| with {phone}]",
    "meeting.booked": (
        "booked [“{title}”|a meeting][ with {contact_name}][ for {starts_at:when}][ ({duration_s:duration})]"
    ),
    "meeting.completed": (
        "held [“{title}”|a meeting][ with {contact_name}][ ({duration_s:duration})][: {outcome}]"
    ),
    "note.added": "added [the note “{title}”|a note][: {text}]",
    "comment.added": "commented[ on {on}][: {text}]",
    "contact.added": "added [{name}|{email}|a contact][ to {account_name}]",
    "contact.updated": "updated [{name}|a contact][: {changes:list}]",
    "contact.merged": "merged [{merged_name}|contact {merged_id}] into [{name}|another contact]",
    "contact.erased": "erased a contact[: {reason}]",
    "account.added": "added [{name}|{domain}|an account][ under {parent_name}]",
    "account.updated": "updated [{name}|an account][: {changes:list}]",
    "account.parent_changed": (
        "moved [{name}|an account][ from {from_parent}] to {to_parent}"
        " || moved [{name}|an account][ from {from_parent}] to account {to_parent_id}"
        " || detached [{name}|an account] from {from_parent}"
        " || detached [{name}|an account] from account {from_parent_id}"
        " || changed the parent of [{name}|an account]"
    ),
    "account.merged": "merged [{merged_name}|account {merged_id}] into [{name}|another account]",
    "import.completed": (
        "imported {rows:#row/rows}[ of {kind}][ from {file_name}]"
        "[, {added:number} added][, {updated:number} updated][, {skipped:number} skipped]"
        "[, {failed:number} failed]"
    ),
    "deal.added": "added [{name}|a deal][ in {stage}][ for {amount:money}]",
    "deal.stage_changed": "moved[ {name}][ from {from_stage}] to {to_stage}",
    "deal.amount_changed": "changed the amount[ of {name}][ from {from_amount:money}] to {to_amount:money}",
    "deal.won": "won [{name}|a deal][ for {amount:money}][: {reason}]",
    "deal.lost": "lost [{name}|a deal][ ({amount:money})][ to {competitor}][: {reason}]",
    "signal.detected": "detected “{name}”[ (rule {rule})] || detected {signal}[ (rule {rule})]",
    "enrichment_completed": (
        "enriched [{name}|the record]"
        "[: {changed:#field/fields} changed|: {changes:#field/fields} changed][ ({changes:list})]"
        "[ for {cost:money}]"
    ),
    "enrichment_failed": "could not enrich [{name}|the record][ (tried {providers:list})][: {reason}]",
    "playbook.started": (
        "started the playbook {playbook}[ for {account_name}][ {trigger:=trigger}| on {trigger}]"
    ),
    "playbook.step_completed": (
        "completed [step {step}|a step] of the playbook {playbook}[ for {account_name}][ ({action})]"
    ),
    "playbook.completed": "completed the playbook {playbook}[ for {account_name}][ ({steps:#step/steps})]",
    "playbook.failed": (
        "could not complete the playbook {playbook}[ for {account_name}][ at step {step}][: {reason}]"
    ),
    "playbook.cancelled": (
        "cancelled the playbook {playbook}[ for {account_name}][ at step {step}][: {reason}]"
    ),
    "playbook.paused": (
        "paused the playbook {playbook}[ for {account_name}][ at step {step}][ until {until:when}]"
        "[: {reason}]"
    ),
    "sequence.enrolled": "enrolled [{contact_name}|a contact] in {sequence}",
    "sequence.step_skipped": "skipped [step {step}|a step] of {sequence}[ for {contact_name}][: {reason}]",
    "sequence.finished": "finished {sequence}[ for {contact_name}][ after {sent:#email/emails}][: {reason}]",
    "task.created": "created the task “{title}”[ for {assignee}][, due {due_at:when}]",
    "task.reassigned": "gave the task “{title}” to {assignee}[ instead of {from_assignee}]",
    "task.completed": "completed the task “{title}”[: {outcome}]",
    "event.corrected": (
        "[{retracted:=retracted}|corrected] [an earlier {event_type}|an earlier event][: {reason}]"
    ),
    "event.classified": (
        "judged [an earlier {event_type}|an earlier open or click] as {machine:=verdict}[ ({rule})]"
    ),
    "privacy.contents_changed": "opened the contents of e-mails to {contents:=contents}",
    "privacy.bodies_erased": "erased the content of {events:#event/events}[: {reason}]",
}

ENGLISH = Language(
    thousands=",",
    point=".",
    day="{0.year:04d}-{0.month:02d}-{0.day:02d}",
    recorded="recorded {}",
    erased="{}: content erased",
    titles={},  # the catalogue's own titles are English
    words={
        "machine": {True: "by a machine"},
        "verdict": {True: "made by a machine", False: "made by a person", None: "of unknown origin"},
        "bounce": {"hard": "hard bounce", "soft": "soft bounce"},
        "direction": {"inbound": "incoming", "outbound": "outgoing"},
        "retracted": {True: "withdrew"},
        "trigger": {"manual": "by hand"},
        "contents": {"everyone": "everyone", "participants": "their participants alone"},
    },
    sentences={1: _V1},
)
