"""What a channel may say, and what is refused before anything is served."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving import operations
from tests.serving.operations import flow, greet
from tidemill.errors import InvalidDocument
from tidemill.serving.channel import Channel, channel_of, steps_of

FLOW = flow(greet, get="greeting")


def made(**said: Any) -> Channel:
    return channel_of(said, FLOW, where="c.yaml")


def test_the_rest_is_as_dffml_has_it() -> None:
    channel = made(path="/x")
    assert (channel.input_mode, channel.output_mode, channel.asynchronous) == ("default", "json", False)
    assert (channel.forward_headers, channel.immediate_response) == (None, None)
    assert channel.output == ("json", "application/json", [])


@pytest.mark.parametrize(
    ("mode", "output"),
    [
        ("text:post_input.get_single.x", ("text", "text/plain", ["post_input", "get_single", "x"])),
        ("bytes:image/png:post_input.'a.b'.raw", ("bytes", "image/png", ["post_input", "a.b", "raw"])),
        ("bytes:image/png", ("bytes", "image/png", [])),
        ("bytes::a:b.c", ("bytes", "application/octet-stream", ["a:b", "c"])),
        ("text", ("text", "text/plain", [])),
    ],
)
def test_an_output_mode_has_a_type_and_keys(mode: str, output: Any) -> None:
    assert made(path="/", output_mode=mode).output == output


def test_pieces_of_a_path_are_inputs() -> None:
    dataflow = flow(greet, get="greeting", known=(operations.COUNT,))
    channel = channel_of({"path": "/a/{name}/b/{count}"}, dataflow, where="")
    assert channel.pieces == ["name", "count"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "MissingField"),
        ({"path": "/", "presentation": "json"}, "UnknownField"),
        ({"path": 3}, "TypeMismatch"),
        ({"path": "/", "asynchronous": "yes"}, "TypeMismatch"),
        ({"path": "/", "input_mode": 1}, "TypeMismatch"),
        ({"path": "x"}, "InvalidPath"),
        ({"path": ""}, "InvalidPath"),
        ({"path": "/a//b"}, "InvalidPath"),
        ({"path": "/a/../b"}, "InvalidPath"),
        ({"path": "/a b"}, "InvalidPath"),
        ({"path": "/a?b"}, "InvalidPath"),
        ({"path": "/a%2fb"}, "InvalidPath"),
        ({"path": "/{name:.*}"}, "InvalidPath"),
        ({"path": "/{name}/{name}"}, "InvalidPath"),
        ({"path": "/metrics"}, "InvalidPath"),
        ({"path": "/contexts/{name}"}, "InvalidPath"),
        ({"path": "/{nme}"}, "UnknownDefinition"),
        ({"path": "/", "forward_headers": "nme"}, "UnknownDefinition"),
        ({"path": "/", "input_mode": "text:nme"}, "UnknownDefinition"),
        ({"path": "/", "input_mode": "text"}, "InvalidMode"),
        ({"path": "/", "input_mode": "default:name"}, "InvalidMode"),
        ({"path": "/", "input_mode": "stream:name"}, "InvalidMode"),
        ({"path": "/", "input_mode": "xml:name"}, "InvalidMode"),
        ({"path": "/", "output_mode": "xml"}, "InvalidMode"),
        ({"path": "/", "output_mode": "json:a"}, "InvalidMode"),
        ({"path": "/", "output_mode": "stream:text/plain:a"}, "InvalidMode"),
        ({"path": "/", "output_mode": "bytes:image:a"}, "InvalidMode"),
        ({"path": "/", "output_mode": "bytes:a/b\r\nX-Evil: 1:a"}, "InvalidMode"),
        ({"path": "/", "immediate_response": "ok"}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"text": "a", "data": {}}}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"txt": "a"}}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"status": 99}}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"text": 3}}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"headers": {"a": "b\r\nc"}}}, "TypeMismatch"),
        ({"path": "/", "immediate_response": {"content_type": "x"}}, "InvalidMode"),
    ],
)
def test_anything_else_is_refused_with_the_file(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        made(**said)
    assert (refused.value.reason, refused.value.path) == (reason, "c.yaml")


def test_quotes_keep_a_step_together() -> None:
    assert steps_of("'one.two'.three") == ["one.two", "three"]
    assert steps_of("") == []
