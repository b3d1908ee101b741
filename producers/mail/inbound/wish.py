"""The wish to get no more mail, in the words in which a person answers."""

import re

_PLEASE = (
    r"(please|kindly|bitte|por favor|s'il vous plaît|svp|per favore|graag|thanks|thank you|danke|merci"
    r"|gracias)"
)
_WORDS = (
    r"(un-?subscribe|opt[ -]?out|stop( (it|this|e-?mailing|mailing|writing|sending|contacting))?"
    r"|(remove|delete) (me|us)|take (me|us) off"
    r"|(do not|don'?t|never) (e-?mail|write|contact|mail)|abmelden|abbestellen|austragen"
    r"|(me )?désabonner|désabonnement|(me )?désinscrire|désinscription|(darme de )?baja"
    r"|cancelar (la )?suscripci[oó]n|disiscriv\w+|cancella(mi|temi|rmi|zione)"
    r"|cancelar (a )?inscri[cç][aã]o|descadastrar"
    r"|uitschrijven|afmelden|wypisz|avregistrera|avmeld|afmeld|отписаться|отпишите|配信停止|退订|退訂|수신거부)"
)
_REST = (
    r"( (me|us|mich|uns|to me|mij|moi|again|any ?more|((from|off|of) )?(your|this|the|all|any)( \w+){0,3}"
    r" (lists?|e?-?mails?|mailings?|newsletters?|distribution|database)))*+"
)
_WISH = re.compile(
    rf"^\W*({_PLEASE}\W+)*{_WORDS}{_REST}(\W+{_PLEASE})*\W*$",
    re.IGNORECASE,
)
_LONGEST = 120  # characters: who says more says something else beside, and is answered by a person


def asks_to_stop(text: str) -> bool:
    """Return whether an answer says that its author wants no more mail, and nothing else."""
    first = text.strip().split("\n\n")[0]
    return len(first) <= _LONGEST and bool(_WISH.match(" ".join(first.split())))
