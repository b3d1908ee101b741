"""German sentences. A template that events were shown with stays; a new payload version gets its own."""

from activity.catalogue.language import Language

_V1 = {
    "email.sent": (
        "hat [„{subject}“|eine E-Mail][ an {to_name}| an {to_address}] gesendet"
        "[ ({sequence}, Schritt {step})| ({sequence})]"
    ),
    "email.delivered": "hat [„{subject}“|eine E-Mail][ an {recipient}] zugestellt",
    "email.deferred": (
        "hat [„{subject}“|eine E-Mail][ an {recipient}] noch nicht zugestellt[: {reason}|: {status}]"
    ),
    "email.opened": "hat [„{subject}“|eine E-Mail] geöffnet[ ({machine:=machine})]",
    "email.clicked": "hat {url:link}[ in „{subject}“] angeklickt[ ({machine:=machine})]",
    "email.bounced": (
        "konnte [„{subject}“|eine E-Mail][ an {recipient}] nicht zustellen[ ({bounce_type:=bounce})]"
        "[: {reason}|: {status}]"
    ),
    "email.replied": (
        "hat eine Antwort[ von {from_name}| von {from_address}][ auf „{subject}“] erhalten[: {excerpt}]"
    ),
    "email.auto_replied": (
        "hat eine automatische Antwort[ von {from_name}| von {from_address}][ auf „{subject}“] erhalten"
        "[, zurück am {back_at:when}]"
    ),
    "email.received": (
        "hat eine E-Mail[ von {from_name}| von {from_address}][ zu „{subject}“] erhalten[: {excerpt}]"
    ),
    "email.subscribed": "hat [{recipient}|einen Empfänger] wieder angemeldet[ für {list_name}][ ({method})]",
    "email.unsubscribed": "hat [{recipient}|einen Empfänger][ von {list_name}] abgemeldet[ ({method})]",
    "email.complained": "hat [„{subject}“|eine E-Mail] als Spam gemeldet",
    "email.rejected": "hat [„{subject}“|eine E-Mail][ an {recipient}] nicht gesendet[: {reason}]",
    "email.suppressed": "hat {address} gesperrt[: {reason}][ ({note})]",
    "email.suppression_lifted": "hat die Sperre von {address} aufgehoben[; Grund war: {reason}][ ({note})]",
    "email.consent_given": "hat vermerkt, dass {address} E-Mails zustimmt[ ({note})]",
    "email.consent_withdrawn": "hat vermerkt, dass {address} keine E-Mails mehr will[ ({note})]",
    "mailbox.paused": "hat das Postfach {mailbox}[ bis {until:when}] angehalten[: {reason}]",
    "call.completed": (
        "hat einen[ {direction:=direction}] Anruf[ mit {contact_name}| mit {phone}]"
        "[ ({duration_s:duration})] erfasst[: {outcome}]"
    ),
    "call.missed": "hat einen[ {direction:=direction}] Anruf[ mit {contact_name}| mit {phone}] verpasst",
    "meeting.booked": (
        "hat [„{title}“|einen Termin][ mit {contact_name}][ für {starts_at:when}]"
        "[ ({duration_s:duration})] vereinbart"
    ),
    "meeting.completed": (
        "hat [„{title}“|einen Termin][ mit {contact_name}][ ({duration_s:duration})] abgehalten[: {outcome}]"
    ),
    "note.added": "hat [die Notiz „{title}“|eine Notiz] hinzugefügt[: {text}]",
    "comment.added": "hat[ zu {on}] kommentiert[: {text}]",
    "contact.added": "hat [{name}|{email}|einen Kontakt][ bei {account_name}] hinzugefügt",
    "contact.updated": "hat [{name}|einen Kontakt] geändert[: {changes:list}]",
    "contact.merged": (
        "hat [{merged_name}|Kontakt {merged_id}] mit [{name}|einem anderen Kontakt] zusammengeführt"
    ),
    "contact.erased": "hat einen Kontakt gelöscht[: {reason}]",
    "account.added": "hat [{name}|{domain}|eine Firma][ unter {parent_name}] hinzugefügt",
    "account.updated": "hat [{name}|eine Firma] geändert[: {changes:list}]",
    "account.parent_changed": (
        "hat [{name}|eine Firma][ von {from_parent}] nach {to_parent} verschoben"
        " || hat [{name}|eine Firma][ von {from_parent}] nach Firma {to_parent_id} verschoben"
        " || hat [{name}|eine Firma] von {from_parent} gelöst"
        " || hat [{name}|eine Firma] von Firma {from_parent_id} gelöst"
        " || hat die übergeordnete Firma[ von {name}] geändert"
    ),
    "account.merged": (
        "hat [{merged_name}|Firma {merged_id}] mit [{name}|einer anderen Firma] zusammengeführt"
    ),
    "import.completed": (
        "hat {rows:#Zeile/Zeilen}[ ({kind})][ aus {file_name}] importiert"
        "[, {added:number} neu][, {updated:number} geändert][, {skipped:number} übersprungen]"
        "[, {failed:number} fehlgeschlagen]"
    ),
    "deal.added": "hat [{name}|einen Deal][ in {stage}][ über {amount:money}] angelegt",
    "deal.stage_changed": "hat [{name}|den Deal][ von {from_stage}] nach {to_stage} verschoben",
    "deal.amount_changed": (
        "hat den Betrag[ von {name}][ von {from_amount:money}] auf {to_amount:money} geändert"
    ),
    "deal.won": "hat [{name}|einen Deal][ über {amount:money}] gewonnen[: {reason}]",
    "deal.lost": "hat [{name}|einen Deal][ ({amount:money})][ an {competitor}] verloren[: {reason}]",
    "signal.detected": "hat „{name}“ erkannt[ (Regel {rule})] || hat {signal} erkannt[ (Regel {rule})]",
    "enrichment_completed": (
        "hat [{name}|den Datensatz][ für {cost:money}] angereichert"
        "[: {changed:#Feld/Felder} geändert|: {changes:#Feld/Felder} geändert]"
        "[ ({changes:list})]"
    ),
    "enrichment_failed": (
        "konnte [{name}|den Datensatz] nicht anreichern[ (versucht: {providers:list})][: {reason}]"
    ),
    "playbook.started": (
        "hat das Playbook {playbook}[ für {account_name}]"
        " [{trigger:=trigger} gestartet|gestartet (Auslöser {trigger})|gestartet]"
    ),
    "playbook.step_completed": (
        "hat [Schritt {step}|einen Schritt] des Playbooks {playbook}[ für {account_name}] ausgeführt"
        "[ ({action})]"
    ),
    "playbook.completed": (
        "hat das Playbook {playbook}[ für {account_name}] abgeschlossen[ ({steps:#Schritt/Schritte})]"
    ),
    "playbook.failed": (
        "konnte das Playbook {playbook}[ für {account_name}] nicht abschließen[ (Schritt {step})][: {reason}]"
    ),
    "playbook.cancelled": (
        "hat das Playbook {playbook}[ für {account_name}] abgebrochen[ (Schritt {step})][: {reason}]"
    ),
    "playbook.paused": (
        "hat das Playbook {playbook}[ für {account_name}][ bis {until:when}] angehalten"
        "[ (Schritt {step})][: {reason}]"
    ),
    "sequence.enrolled": "hat [{contact_name}|einen Kontakt] in {sequence} aufgenommen",
    "sequence.step_skipped": (
        "hat [Schritt {step}|einen Schritt] von {sequence}[ für {contact_name}] übersprungen[: {reason}]"
    ),
    "sequence.finished": (
        "hat {sequence}[ für {contact_name}][ nach {sent:#E-Mail/E-Mails}] beendet[: {reason}]"
    ),
    "task.created": "hat die Aufgabe „{title}“[ für {assignee}] angelegt[, fällig {due_at:when}]",
    "task.reassigned": "hat die Aufgabe „{title}“ {assignee}[ statt {from_assignee}] gegeben",
    "task.completed": "hat die Aufgabe „{title}“ erledigt[: {outcome}]",
    "event.corrected": (
        "hat [ein früheres {event_type}|ein früheres Ereignis] [{retracted:=retracted}|berichtigt]"
        "[: {reason}]"
    ),
    "event.classified": "hat [ein früheres {event_type}|eine frühere Öffnung oder einen Klick]"
    " als {machine:=verdict} eingestuft[ ({rule})]",
    "privacy.contents_changed": "hat die Inhalte von E-Mails {contents:=contents} geöffnet",
    "privacy.bodies_erased": "hat den Inhalt von {events:#Ereignis/Ereignissen} gelöscht[: {reason}]",
}

_TITLES = {
    "email.sent": "E-Mail gesendet",
    "email.delivered": "E-Mail zugestellt",
    "email.deferred": "E-Mail aufgeschoben",
    "email.opened": "E-Mail geöffnet",
    "email.clicked": "Link in E-Mail angeklickt",
    "email.bounced": "E-Mail unzustellbar",
    "email.replied": "E-Mail beantwortet",
    "email.auto_replied": "Automatische Antwort",
    "email.received": "E-Mail erhalten",
    "email.subscribed": "Wieder angemeldet",
    "email.unsubscribed": "Abgemeldet",
    "email.complained": "Spam-Beschwerde",
    "email.rejected": "E-Mail nicht gesendet",
    "email.suppressed": "Adresse gesperrt",
    "email.suppression_lifted": "Sperre aufgehoben",
    "email.consent_given": "Zustimmung erteilt",
    "email.consent_withdrawn": "Zustimmung widerrufen",
    "mailbox.paused": "Postfach angehalten",
    "call.completed": "Anruf",
    "call.missed": "Verpasster Anruf",
    "meeting.booked": "Termin vereinbart",
    "meeting.completed": "Termin",
    "note.added": "Notiz",
    "comment.added": "Kommentar",
    "contact.added": "Kontakt hinzugefügt",
    "contact.updated": "Kontakt geändert",
    "contact.merged": "Kontakte zusammengeführt",
    "contact.erased": "Kontakt gelöscht",
    "account.added": "Firma hinzugefügt",
    "account.updated": "Firma geändert",
    "account.parent_changed": "Übergeordnete Firma geändert",
    "account.merged": "Firmen zusammengeführt",
    "import.completed": "Import abgeschlossen",
    "deal.added": "Deal angelegt",
    "deal.stage_changed": "Deal-Phase geändert",
    "deal.amount_changed": "Deal-Betrag geändert",
    "deal.won": "Deal gewonnen",
    "deal.lost": "Deal verloren",
    "signal.detected": "Signal erkannt",
    "enrichment_completed": "Anreicherung abgeschlossen",
    "enrichment_failed": "Anreicherung fehlgeschlagen",
    "playbook.started": "Playbook gestartet",
    "playbook.step_completed": "Playbook-Schritt ausgeführt",
    "playbook.completed": "Playbook abgeschlossen",
    "playbook.failed": "Playbook fehlgeschlagen",
    "playbook.cancelled": "Playbook abgebrochen",
    "playbook.paused": "Playbook angehalten",
    "sequence.enrolled": "In Sequenz aufgenommen",
    "sequence.step_skipped": "Sequenzschritt übersprungen",
    "sequence.finished": "Sequenz beendet",
    "task.created": "Aufgabe angelegt",
    "task.reassigned": "Aufgabe weitergegeben",
    "task.completed": "Aufgabe erledigt",
    "event.corrected": "Ereignis berichtigt",
    "event.classified": "Öffnung oder Klick eingestuft",
    "privacy.bodies_erased": "Inhalt gelöscht",
    "privacy.contents_changed": "Wer E-Mails liest",
}

GERMAN = Language(
    thousands=".",
    point=",",
    day="{0.day:02d}.{0.month:02d}.{0.year:04d}",
    recorded="hat {} aufgezeichnet",
    erased="{}: Inhalt gelöscht",
    titles=_TITLES,
    words={
        "machine": {True: "durch eine Maschine"},
        "verdict": {True: "maschinell", False: "menschlich", None: "ungeklärt"},
        "bounce": {"hard": "dauerhaft", "soft": "vorübergehend"},
        "direction": {"inbound": "eingehenden", "outbound": "ausgehenden"},
        "retracted": {True: "zurückgenommen"},
        "trigger": {"manual": "von Hand"},
        "contents": {"everyone": "für alle", "participants": "nur für Beteiligte"},
    },
    sentences={1: _V1},
)
