"""Any provider with a JSON interface over HTTP: a URL to fill in, headers, and a JMESPath for each field."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field

from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed, Question, Surroundings
from producers.enrichment.providers.template import Template, in_header, in_url
from producers.http import Answer as HttpAnswer
from producers.http import AnswerUnusable, OutboundFailed, OutboundRefused

MAX_BYTES = 2_000_000


class Bulk(BaseModel):
    """How many records are asked for in one POST: {parameter: [the values of `by`]}.

    `match` finds the value of each item of the answer again.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    by: str = "domain"
    parameter: str
    items: str = "@"
    match: str
    size: Annotated[int, Field(ge=2, le=500)] = 50


class HttpJsonOptions(BaseModel):
    """The options in the configuration."""

    model_config = ConfigDict(extra="forbid")

    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = {}
    body: str | None = None
    fields: Annotated[Mapping[str, str], Field(min_length=1)]
    confidence: float | str = 0.8  # a number, or a JMESPath that finds one
    bulk: Bulk | None = None


class HttpJson:
    """Asks one URL a record, or with `bulk` one for many."""

    def __init__(self, options: Mapping[str, object], surroundings: Surroundings) -> None:
        self._options = chosen = HttpJsonOptions.model_validate(options)
        self._surroundings = surroundings
        self._url, self._body = Template(chosen.url), Template(chosen.body or "")
        self._headers = {name: Template(value) for name, value in chosen.headers.items()}
        self._fields = {name: _path(path) for name, path in chosen.fields.items()}
        self._confidence = _path(chosen.confidence) if isinstance(chosen.confidence, str) else None
        self.batch_size = chosen.bulk.size if chosen.bulk else 1
        self._request_digest = hashlib.sha256(
            chosen.model_dump_json(exclude={"headers"}).encode()
        ).hexdigest()[:16]

    def key(self, question: Question) -> str | None:
        """Return a digest of the values that fill in the request, and of the configured request."""
        templates = [self._url, self._body, *self._headers.values()]
        filled = [template.values(question) for template in templates]
        values: dict[str, str] = {}
        for one in filled:
            if one is None:
                return None
            values |= one
        if self._options.bulk and not isinstance(question.values.get(self._options.bulk.by), str):
            return None
        values.pop("idempotency_key", None)
        return hashlib.sha256(
            msgspec.json.encode([self._request_digest, sorted(values.items()), question.fields])
        ).hexdigest()

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Send the request and read the fields out of the answer."""
        if len(questions) > 1 and self._options.bulk:
            return await self._ask_bulk(self._options.bulk, questions)
        return [await self._ask_one(question) for question in questions]

    async def _ask_one(self, question: Question) -> ProviderAnswer:
        url = self._url.fill(self._url.values(question) or {}, in_url)
        content = (
            None
            if self._options.body is None
            else self._body.fill(self._body.values(question) or {}, _in_json).encode()
        )
        answer = await self._send(self._options.method, url, question, content)
        return {} if answer is None else self._read(answer, question)

    async def _ask_bulk(self, bulk: Bulk, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        by = [question.values[bulk.by].lower() for question in questions]
        answer = await self._send(
            "POST", Template(bulk.url).fill({}), questions[0], msgspec.json.encode({bulk.parameter: by})
        )
        items = _search(_path(bulk.items), answer)
        if not isinstance(items, list):
            raise ProviderFailed("its answer is not a list of records")
        match = _path(bulk.match)
        of = {str(_search(match, item)).lower(): item for item in items}
        return [
            self._read(of[value], question) if value in of else {}
            for value, question in zip(by, questions, strict=True)
        ]

    async def _send(self, method: str, url: str, question: Question, content: bytes | None) -> object:
        headers = {
            name: template.fill(template.values(question) or {}, in_header)
            for name, template in self._headers.items()
        }
        if content is not None:
            headers = {"content-type": "application/json", **headers}
        timeout_s = self._surroundings.timeout_s
        try:
            answer = await self._surroundings.outbound.request(
                method,
                url,
                headers={"accept": "application/json", **headers},
                content=content,
                timeout_s=timeout_s,
                max_bytes=MAX_BYTES,
            )
        except (OutboundRefused, AnswerUnusable) as error:
            raise ProviderFailed(str(error)) from None
        except OutboundFailed as error:
            raise ProviderFailed(str(error), transient=True) from None
        return _decoded(answer)

    def _read(self, answer: object, question: Question) -> ProviderAnswer:
        confidence = (
            self._options.confidence if self._confidence is None else _search(self._confidence, answer)
        )
        if isinstance(confidence, bool) or not isinstance(confidence, int | float):
            raise ProviderFailed("its answer has no confidence where the configuration looks for it")
        wanted = [name for name in question.fields if name in self._fields]
        return {name: FoundValue(_search(self._fields[name], answer), float(confidence)) for name in wanted}


def _decoded(answer: HttpAnswer) -> object:
    """Return the JSON of an answer; None where its status means "nothing known". Raises ProviderFailed."""
    if answer.status in (204, 404, 410):
        return None
    if answer.status == 429:
        raise ProviderFailed(
            "its rate limit is reached (429)",
            transient=True,
            after_s=_seconds(answer.headers.get("retry-after")),
        )
    if answer.status >= 500 or answer.status in (408, 425):
        raise ProviderFailed(
            f"it answered {answer.status}",
            transient=True,
            after_s=_seconds(answer.headers.get("retry-after")),
        )
    if answer.status in (401, 402, 403):
        raise ProviderFailed(f"it refuses the key ({answer.status})")
    if not 200 <= answer.status < 300:
        raise ProviderFailed(f"it answered {answer.status}")
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        kind = answer.headers.get("content-type", "something").split(";")[0][:60]
        raise ProviderFailed(f"its answer is not JSON but {kind}") from None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None


def _path(expression: str) -> object:
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is not a valid JMESPath: {error}") from None


def _search(path: Any, answer: Any) -> Any:
    try:
        return path.search(answer)
    except (JMESPathError, RecursionError, ArithmeticError, AttributeError, TypeError, ValueError):
        raise ProviderFailed(f"its answer has another form than {path.expression!r} expects") from None


def _in_json(value: str) -> str:
    return msgspec.json.encode(value).decode()[1:-1]
