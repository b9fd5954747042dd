"""How one data flow is served: its path, what a request is for it, and what an answer is.

The fields are those of DFFML's HTTP channels. Neighbours: `directory` reads them from files, `intake` and `answers` do
what they say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import InvalidDocument, did_you_mean, shown
from tidemill.model.dataflow import DataFlow
from tidemill.model.primitives import type_name

__all__ = ["RESERVED", "Channel", "ImmediateResponse", "channel_of", "steps_of"]

RESERVED = ("livez", "readyz", "metrics", "contexts")
"""First pieces of paths that the server itself answers."""

_PIECE = re.compile(r"[A-Za-z0-9._~!$'()*+,;=:@-]+|\{[A-Za-z_][A-Za-z0-9_]*\}")
_INPUT_MODES = ("json", "text", "bytes")
_STEP = re.compile(r"""'([^']*)'|"([^"]*)"|([^.]+)""")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")


@dataclass(frozen=True, slots=True)
class ImmediateResponse:
    """What is answered before the data flow has run: one of ``data`` (JSON), ``text`` and ``body``."""

    status: int = 200
    content_type: str = ""
    data: Any = None
    text: str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Channel:
    """A data flow at a path.

    ``path`` may have pieces ``{name}``, which are inputs of the definition of that name. ``input_mode`` is ``default``
    (a JSON mapping of contexts to inputs), or ``json:DEFINITION``, ``text:DEFINITION``, ``bytes:DEFINITION`` (the body
    is one input). ``output_mode`` is ``json``, ``text:KEYS`` or ``bytes:TYPE:KEYS``, where KEYS lead into the results.
    ``asynchronous`` answers with ids of contexts that are run in the background, ``forward_headers`` is the definition
    that the headers of a request are an input of.
    """

    path: str
    dataflow: DataFlow
    input_mode: str = "default"
    output_mode: str = "json"
    asynchronous: bool = False
    forward_headers: str | None = None
    immediate_response: ImmediateResponse | None = None
    where: str = ""
    folder: str | None = None

    @property
    def pieces(self) -> list[str]:
        """The names of the inputs that are pieces of the path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def body(self) -> tuple[str, str]:
        """How a body is read, and the definition that it is an input of: ``("default", "")`` or one of the modes."""
        mode, _, definition = self.input_mode.partition(":")
        return mode, definition

    @property
    def output(self) -> tuple[str, str, list[str]]:
        """(``json``, ``text`` or ``bytes``, the media type, the keys that lead to what is answered)."""
        mode, _, rest = self.output_mode.partition(":")
        if mode == "bytes":
            media, _, rest = rest.partition(":")
            return mode, media or "application/octet-stream", steps_of(rest)
        return mode, "text/plain" if mode == "text" else "application/json", steps_of(rest)


def steps_of(keys: str) -> list[str]:
    """Return the steps of keys with dots; quotes keep a step that has dots in it together."""
    return ["".join(groups) for groups in _STEP.findall(keys)]


_FIELDS = ("path", "input_mode", "output_mode", "asynchronous", "forward_headers", "immediate_response")


def channel_of(said: Mapping[str, Any], dataflow: DataFlow, *, where: str, folder: str | None = None) -> Channel:
    """Return the channel that plain data says; ``where`` is the file or option that it came from.

    Raises `InvalidDocument`: UnknownField, MissingField, TypeMismatch, InvalidPath, InvalidMode, UnknownDefinition.
    """
    for name in said:
        if name not in _FIELDS:
            _refuse("UnknownField", where, f"there is no field {shown(name)} here {did_you_mean(str(name), _FIELDS)}")
    if "path" not in said:
        _refuse("MissingField", where, "a channel has a path, such as /sizes")
    found = {name: value for name, value in said.items() if value is not None}
    for name in ("path", "input_mode", "output_mode", "forward_headers"):
        if not isinstance(found.get(name, ""), str):
            _refuse("TypeMismatch", where, f"{name}: expected text, got {type_name(found[name])} {shown(found[name])}")
    if not isinstance(found.get("asynchronous", False), bool):
        _refuse("TypeMismatch", where, f"asynchronous: expected true or false, got {shown(found['asynchronous'])}")
    if "immediate_response" in found:
        found["immediate_response"] = _immediate(found["immediate_response"], where)
    channel = Channel(dataflow=dataflow, where=where, folder=folder, **found)
    _check_path(channel)
    _check_modes(channel)
    _check_definitions(channel)
    return channel


def _refuse(reason: str, where: str, message: str) -> Any:
    raise InvalidDocument(message, reason=reason, path=where)


def _check_path(channel: Channel) -> None:
    pieces = channel.path.removeprefix("/").split("/")
    wrong = [piece for piece in pieces if not _PIECE.fullmatch(piece) or piece in (".", "..")]
    if not channel.path.startswith("/") or (wrong and channel.path != "/"):
        _refuse("InvalidPath", channel.where, f"{shown(channel.path)} is no path; expected /piece/{{input}} and so on")
    if pieces[0] in RESERVED:
        _refuse("InvalidPath", channel.where, f"the server itself answers below /{pieces[0]}; choose another path")
    if len(set(channel.pieces)) != len(channel.pieces):
        _refuse("InvalidPath", channel.where, f"{shown(channel.path)} names an input twice")


def _check_modes(channel: Channel) -> None:
    mode, definition = channel.body
    if mode == "stream":
        _refuse("InvalidMode", channel.where, "bodies are not streamed into data flows; use bytes:DEFINITION")
    if (mode == "default") == bool(definition) or mode not in ("default", *_INPUT_MODES):
        said = f"{shown(channel.input_mode)} is no input_mode; expected default, or json, text or bytes and :DEFINITION"
        _refuse("InvalidMode", channel.where, said)
    mode, media, _ = channel.output
    if mode not in ("json", "text", "bytes") or (mode == "json" and channel.output_mode != "json"):
        said = f"{shown(channel.output_mode)} is no output_mode; expected json, text:KEYS or bytes:TYPE:KEYS"
        _refuse("InvalidMode", channel.where, said)
    if not _MEDIA_TYPE.fullmatch(media):
        _refuse("InvalidMode", channel.where, f"{shown(media)} is no media type; expected one such as image/png")


def _check_definitions(channel: Channel) -> None:
    known = channel.dataflow.definitions
    named = [*channel.pieces, channel.body[1], channel.forward_headers or ""]
    for name in named:
        if name and name not in known:
            said = f"the data flow has no definition {shown(name)} {did_you_mean(name, known)}"
            _refuse("UnknownDefinition", channel.where, said)


def _immediate(said: Any, where: str) -> ImmediateResponse:
    known = ("status", "content_type", "data", "text", "body", "headers")
    if not isinstance(said, Mapping) or not set(said) <= set(known) or len({"data", "text", "body"} & set(said)) > 1:
        _refuse("TypeMismatch", where, f"immediate_response: expected a mapping with one of data, text and body, and "
            f"status, content_type, headers; got {shown(said)}")  # fmt: skip
    found = dict(said)
    status, headers = found.get("status", 200), found.get("headers", {})
    texts = [*(found.get(key, "") for key in ("content_type", "text", "body"))]
    headed = isinstance(headers, Mapping) and all(_is_header(name, value) for name, value in headers.items())
    if (
        not isinstance(status, int)
        or not 200 <= status < 600
        or not headed
        or not all(isinstance(t, str) for t in texts)
    ):
        _refuse("TypeMismatch", where, f"immediate_response: a status of 200 to 599 and texts, got {shown(said)}")
    if found.get("content_type") and not _MEDIA_TYPE.fullmatch(found["content_type"]):
        _refuse("InvalidMode", where, f"{shown(found['content_type'])} is no media type")
    if "body" in found:
        found["body"] = found["body"].encode()
    return ImmediateResponse(**found)


def _is_header(name: Any, value: Any) -> bool:
    texts = isinstance(name, str) and isinstance(value, str)
    return texts and re.fullmatch(r"[A-Za-z0-9-]+", name) is not None and value.isprintable()
