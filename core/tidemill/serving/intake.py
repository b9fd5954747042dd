"""A request becomes input sets, or an error that says what is wrong with it. No I/O: what is read is given.

Neighbours: `channel` says how, `formats.inputs` gives plain data its meaning, `app` reads the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.errors import DuplicateContext, InvalidDocument, InvalidInput, TidemillError, shown
from tidemill.formats.fitting import Fitting
from tidemill.formats.inputs import InputSet, document_sets, input_of_argument, input_of_value
from tidemill.formats.json_text import parse_json
from tidemill.model.input import Input
from tidemill.plan.plan import Plan
from tidemill.serving.channel import Channel

__all__ = ["BODY", "ONE", "Asked", "Intake"]

BODY = "post_input"
"""What the context of a request is called whose body is one input, as DFFML has it."""
ONE = "request"
"""What the context of a request is called that names none."""

_SECRET = ("authorization", "proxy-authorization")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is taken out of a request: its body (None: it has none), pieces of its path, its query, its headers."""

    body: bytes | None
    content_type: str
    pieces: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]


class Intake:
    """Makes input sets for one channel out of requests; ``contexts`` is how many a request may open at most."""

    def __init__(self, channel: Channel, plan: Plan, *, contexts: int) -> None:
        self._channel = channel
        self._definitions = channel.dataflow.definitions
        self._fits = Fitting(plan)
        self._most = contexts

    def __call__(self, asked: Asked) -> list[InputSet]:
        """Return the input sets; all of them could be opened.

        Raises `InvalidInput` and `InvalidDocument`, whose path is a JSON pointer into the body, ``/query/NAME``,
        ``/path/NAME`` or ``/headers``; with the reason UnsupportedMediaType for a body that is of another type.
        """
        common = list(self._common(asked))
        sets = self._sets(asked) or [InputSet(ONE, [])]
        if len(sets) > self._most:
            said = f"{len(sets)} contexts in one request; limit {self._most}"
            raise InvalidInput(said, reason="BatchTooLarge", path="/")
        for each in sets:
            for place, item in common:
                copy = Input(item.value, item.definition, origin=item.origin)
                each.inputs.append(copy)
                each.places.append(place)
            self._fits(each)
        return sets

    def _common(self, asked: Asked) -> Iterable[tuple[str, Input]]:
        """Yield (place, input) of what every context of the request gets."""
        for name, text in asked.pieces.items():
            yield f"/path/{name}", self._argument(name, text, f"/path/{name}")
        for name, text in asked.query:
            yield f"/query/{name}", self._argument(name, text, f"/query/{name}")
        if self._channel.forward_headers is not None:
            definition = self._definitions[self._channel.forward_headers]
            yield "/headers", input_of_value(definition, _headers(asked.headers), "/headers")

    def _argument(self, name: str, text: str, path: str) -> Input:
        if "=" in name:
            raise InvalidInput(f"no definition is called {shown(name)}", reason="UnknownDefinition", path=path)
        try:
            return input_of_argument(f"{name}={text}", self._definitions)
        except TidemillError as error:
            raise type(error)(error.message, reason=error.reason, path=path) from error

    def _sets(self, asked: Asked) -> list[InputSet]:
        mode, name = self._channel.body
        if asked.body is None:
            return []
        if mode == "default":
            if not asked.body and not _is_json(asked.content_type):
                return []
            found = list(document_sets(self._json(asked), self._definitions))
            _refuse_twice(found)
            return found
        definition = self._definitions[name]
        value: Any = asked.body
        if mode == "json":
            value = self._json(asked)
        elif mode == "text":
            value = _text(asked.body)
        found = [InputSet(BODY, [], "", [])]
        found[0].inputs.append(input_of_value(definition, value, ""))
        found[0].places.append("")
        return found

    def _json(self, asked: Asked) -> Any:
        kind = asked.content_type
        if not _is_json(kind):
            said = f"the body is {shown(kind) if kind else 'of no type'}, expected Content-Type: application/json"
            raise InvalidDocument(said, reason="UnsupportedMediaType", path="")
        return parse_json(_text(asked.body or b""), source="body")


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        said = f"byte 0x{body[error.start]:02x} at offset {error.start} is not UTF-8; send UTF-8"
        raise InvalidDocument(said, reason="InvalidUnicode", path="") from error


def _headers(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the headers by name, written Like-This, without credentials; what is there twice has commas."""
    found: dict[str, str] = {}
    for name, value in given:
        if name.lower() not in _SECRET:
            title = "-".join(part.capitalize() for part in name.split("-"))
            found[title] = f"{found[title]}, {value}" if title in found else value
    return found


def _refuse_twice(sets: Sequence[InputSet]) -> None:
    seen: set[str] = set()
    for each in sets:
        if each.name in seen:
            said = f'the context "{each.name}" is there twice; give each its name'
            raise DuplicateContext(said, path=each.where)
        seen.add(each.name)
