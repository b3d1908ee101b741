"""Tell whether a machine wrote an answer: RFC 3834, and the headers and subjects in use beside it."""

import re
from email.message import Message

from producers.mail.inbound.message import header

_HEADERS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Reply",
    "X-Auto-Responded",
    "X-Vacation",
)
_DENIED = ("", "no", "none", "false", "off", "0")
# A note begins with these words. After "Re:" they are those of the mail that a person answers.
_SUBJECT = re.compile(
    r"^\W*(auto(matic|matische|mated)?[ -]?(reply|response|answer|antwort|respond)\b|autoreply\b"
    r"|out of (the )?office|ooo\b|(i'?m |i am )?away from (the |my )?(office|desk|e-?mail|work)"
    r"|on (annual |parental |sick )?(leave|vacation|holiday)(?=\W*$|[:;.,!]|\s*[(-]|\s+(until|till|from|and))"
    r"|abwesen(d|heit)(?=\W*$|[:;]|\s+(bis|vom|wegen)\b)|abwesenheits(notiz|nachricht|meldung|assistent)"
    r"|automatische? (antwort|antwoord|beantwoord)|automatisch (antwoord|beantwoord)|afwezig"
    r"|réponse automatique|absence(?=\W*$|[:;,]|\s*[(-]|\s+(du|de|d\b|from|temporaire|notif\w*|message)\b)"
    r"|respuesta automática|fuera de (la )?oficina|risposta automatica|fuori (ufficio|sede)"
    r"|resposta automática|ausência (do|temporária)|autosvar|automatisk svar|automaattinen|poissa toimistosta"
    r"|odpowiedź automatyczna|automatyczna odpowiedź|automatická odpov"
    r"|automatikus válasz|otomatik yan[\u0131i]t"
    r"|αυτόματη απάντηση|автоответ|автоматическ\w+ ответ|автоматична відповідь"
    r"|自動返信|自動応答|不在(通知|の)|自动(回复|答复)|自動(回覆|回復)|자동 ?(회신|응답)|부재 ?중)",
    re.IGNORECASE,
)


def is_automatic(message: Message) -> bool:
    """Return whether a machine answered. What marks a person's own rule, or denies it, does not say so."""
    if header(message, "Auto-Submitted").split(";")[0].split("(")[0].strip().lower() not in _DENIED:
        return True
    if any(header(message, name).strip().lower() not in _DENIED for name in _HEADERS):
        return True
    if header(message, "Precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return bool(_SUBJECT.search(header(message, "Subject")))
