"""The one-line summary of an event: a pure function of type, version, payload and locale."""

from collections.abc import Mapping

import msgspec

from activity.catalogue.declared import extended
from activity.catalogue.english import ENGLISH
from activity.catalogue.german import GERMAN
from activity.catalogue.language import Language
from activity.catalogue.registry import CATALOGUE, VERSIONS
from activity.catalogue.template import SENTENCE_FAULTS, Part, Sentence, clean, fill, parse
from activity.event_type import DeclaredType, Payload

_DECLARED = [known for known in VERSIONS.values() if isinstance(known, DeclaredType)]
LANGUAGES: Mapping[str, Language] = {
    code: extended(code, language, _DECLARED) for code, language in (("en", ENGLISH), ("de", GERMAN))
}

_SENTENCES: Mapping[tuple[str, str, int], Sentence] = {
    (code, name, version): parse(template)
    for code, language in LANGUAGES.items()
    for version, templates in language.sentences.items()
    for name, template in templates.items()
}
_DECODERS = {key: msgspec.json.Decoder(known.payload) for key, known in VERSIONS.items()}

_ENCODED = (bytes, msgspec.Raw)
AnyPayload = bytes | msgspec.Raw | Mapping[str, object] | None


def summarise(type: str, version: int, payload: AnyPayload, locale: str = "en") -> str:
    """Return what happened, without who did it: `moved Acme renewal from Proposal to Negotiation`.

    Never raises. A payload that does not fit its type gives the type's title, an erased one (None) the title
    and that it was erased, an unknown type `recorded <type>`, and an unknown locale English.
    """
    return "".join(text for part in summary_parts(type, version, payload, locale) for text in part.values())


def summary_parts(type: str, version: int, payload: AnyPayload, locale: str = "en") -> list[Part]:
    """Return the summary in parts: `{"t": text}` and, for what came from the payload, `{"v": value}`."""
    code = locale[:2].lower() if locale[2:3] in ("", "-", "_") else "en"
    code, language = (code, LANGUAGES[code]) if code in LANGUAGES else ("en", ENGLISH)
    if type not in CATALOGUE:
        before, after = language.recorded.split("{}")
        return [part for part in ({"t": before}, {"v": clean(type)}, {"t": after}) if any(part.values())]
    title = language.titles.get(type) or CATALOGUE[type].title
    if payload is None or (isinstance(payload, _ENCODED) and bytes(payload) == b"null"):
        return [{"t": language.erased.format(title)}]
    sentence = _SENTENCES.get((code, type, version))
    fitting = _fitting(type, version, payload)
    return (sentence and fitting and _filled(sentence, fitting, language)) or [{"t": title}]


def _fitting(type: str, version: int, payload: bytes | msgspec.Raw | Mapping[str, object]) -> Payload | None:
    """Return the payload as its type's struct, or None if it does not fit or that version is not known."""
    if (type, version) not in VERSIONS:
        return None
    try:
        if isinstance(payload, _ENCODED):
            return _DECODERS[type, version].decode(payload)
        return msgspec.convert(payload, VERSIONS[type, version].payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # ValueError: bytes that are not UTF-8
        return None


def _filled(sentence: Sentence, payload: Payload, language: Language) -> list[Part] | None:
    try:
        return fill(sentence, payload, language)
    except SENTENCE_FAULTS:  # only a declared type can have such a sentence
        return None
