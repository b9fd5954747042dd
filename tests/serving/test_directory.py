"""A folder in the form of DFFML's multicomm becomes channels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serving.operations import flow, greet
from tests.serving.support import served
from tidemill.errors import InvalidDocument, InvalidFlow, TidemillError
from tidemill.formats.dffml import exported
from tidemill.serving.directory import channels_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mc/http/deep", "df/deep", "override"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mc" / "http" / "greet.yaml").write_text("path: /greet\noutput_mode: json\n")
    (tmp_path / "mc" / "http" / "deep" / "other.json").write_text(json.dumps({"path": "/other", "asynchronous": True}))
    (tmp_path / "mc" / "http" / ".greet.yaml.swp").write_text("?")
    (tmp_path / "mc" / "http" / "README").write_text("how to")
    data = exported(flow(greet, get="greeting", known=()))
    (tmp_path / "df" / "greet.json").write_text(json.dumps(data))
    (tmp_path / "df" / "deep" / "other.json").write_text(json.dumps(data))
    return tmp_path


async def test_each_channel_has_the_data_flow_of_its_name(folder: Path) -> None:
    deep, greeting = channels_in(folder)
    assert (deep.path, deep.asynchronous, greeting.path, greeting.asynchronous) == ("/other", True, "/greet", False)
    async with served(deep, greeting) as client:
        reply = await client.post("/greet", {"a": [{"value": "Ada", "definition": "name"}]})
        assert reply.json == {"a": {"greeting": "Hello, Ada!"}}


async def test_what_overrides_is_merged_over_it(folder: Path) -> None:
    seed = {"linked": True, "seed": [{"value": "Ada", "definition": "name"}]}
    (folder / "override" / "greet.yaml").write_text(json.dumps(seed))
    _, greeting = channels_in(folder)
    async with served(greeting) as client:
        assert (await client.get("/greet")).json == {"request": {"greeting": "Hello, Ada!"}}


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("mc/http/more.yaml", "path: /more", "NoDataFlow"),
        ("mc/http/greet.json", '{"path": "/x"}', "AmbiguousName"),
        ("mc/http/greet.yaml", "path: greet", "InvalidPath"),
        ("mc/http/greet.yaml", "- path", "TypeMismatch"),
        ("mc/http/greet.yaml", "path: /x\npath: /y", "DuplicateKey"),
        ("df/greet.json", "{", "MalformedJson"),
        ("df/greet.json", '{"operations": {"a": {}}}', "MissingField"),
        ("override/greet.yaml", "linked: true\nseed: [{value: 1, definition: nme}]", "DefinitionMissing"),
    ],
)
def test_what_is_wrong_is_said_with_its_file(file: str, text: str, reason: str, folder: Path) -> None:
    (folder / file).write_text(text)
    with pytest.raises(TidemillError) as refused:
        channels_in(folder)
    problems = refused.value.problems if isinstance(refused.value, InvalidFlow) else [refused.value]
    assert problems[0].reason == reason
    assert Path(file).stem in str(refused.value)


def test_a_folder_without_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="NoChannels"):
        channels_in(tmp_path)
