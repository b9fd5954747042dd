"""The library: every file has its header, every function is called by somebody, and its names carry the layout."""

import re
from importlib import resources
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.library import FILES, LAYOUT, assembled

FOLDER = Path(str(resources.files("tidemill.backends.redis"))) / "functions"
REGISTERED = re.compile(r"register_function\(.*?'(tidemill_\d+_\w+)'")


def test_every_file_is_part_of_the_library() -> None:
    assert sorted(FILES) == sorted(path.stem for path in FOLDER.glob("*.lua"))


def test_the_library_and_its_functions_carry_the_layout() -> None:
    source = assembled()
    assert source.startswith(f"#!lua name=tidemill_{LAYOUT}\n")
    names = REGISTERED.findall(source)
    assert names
    assert all(name.startswith(f"tidemill_{LAYOUT}_") for name in names)


def test_every_function_is_called_and_every_call_has_a_function() -> None:
    names = {name.removeprefix(f"tidemill_{LAYOUT}_") for name in REGISTERED.findall(assembled())}
    python = "".join(path.read_text("utf-8") for path in FOLDER.parent.glob("*.py"))
    assert names == set(re.findall(r'(?:\.call[(,]|\._patiently\()\s*"(\w+)"', python))


@pytest.mark.parametrize("name", FILES)
def test_what_a_header_returns_is_there(name: str) -> None:
    text = (FOLDER / f"{name}.lua").read_text("utf-8")
    promised = re.findall(r"\b([A-Z]\.\w+)", re.findall(r"-- Returns: (.*)", text)[0])
    for member in promised:
        assert f"function {member}(" in text, f"{name}.lua promises {member}"


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_it_loads_twice_and_beside_another_layout(kind: str) -> None:
    client = Client(server(kind))
    try:
        await client.load()
        await client.load()
        other = assembled().replace(f"tidemill_{LAYOUT}", "tidemill_999")
        assert await client.redis.function_load(other, replace=True) == b"tidemill_999"
        names = [entry[1].decode() for entry in await client.redis.function_list()]
        assert {f"tidemill_{LAYOUT}", "tidemill_999"} <= set(names)
        await client.redis.function_delete("tidemill_999")
    finally:
        await client.close()
