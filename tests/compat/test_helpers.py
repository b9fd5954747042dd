"""DFFML's helpers: entry points, plain data, tasks, programs, directories, loaders of files, what is entered."""

import asyncio
import dataclasses
import logging
import os
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tidemill as dffml
from tidemill.compat import concurrent, programs
from tidemill.configloader.configloader import BaseConfigLoader, BaseConfigLoaderContext, ConfigLoaders
from tidemill.configloader.json import JSONConfigLoader
from tidemill.configloader.yaml import YAMLConfigLoader
from tidemill.errors import EntrypointNotFound, InvalidDocument, InvalidInput, TidemillError
from tidemill.util import data, entrypoint
from tidemill.util.os import chdir, prepend_to_path, which


class Plugin(dffml.Entrypoint):
    """A base class of plugins."""

    ENTRYPOINT = "test.plugins"


@dffml.entrypoint("first")
class First(Plugin):
    """A plugin."""


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announce one plugin."""
    entry = metadata.EntryPoint("one", f"{__name__}:First", "test.plugins")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry] if group == "test.plugins" else [])
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda self: First)


def test_plugins_are_found_by_name(announced: None) -> None:
    assert Plugin.load("one") is First
    assert First.ENTRY_POINT_LABEL == "one"
    assert First.ENTRY_POINT_ORIG_LABEL == "first"
    assert Plugin.load(First) is First
    assert Plugin.load() == [First]
    assert Plugin.load_multiple(["one"]) == {"one": First}
    assert Plugin.load_dict({"key": "one"}) == {"key": First}
    assert Plugin.load_labeled("mine=one").ENTRY_POINT_LABEL == "mine"
    with pytest.raises(InvalidInput, match="write label=one"):
        Plugin.load_labeled("one")
    with pytest.raises(EntrypointNotFound, match='nobody announces "on" in test.plugins .*did you mean "one"'):
        Plugin.load("on")


def test_what_is_at_a_path_of_a_module_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_us.py").write_text("class A:\n    b = {'c': 3}\n")
    assert list(entrypoint.load("beside_us:A.b.c", "beside_us", relative=tmp_path))[0] == 3
    monkeypatch.chdir(tmp_path)
    assert Plugin.load("beside_us:A").b == {"c": 3}
    assert str(tmp_path) not in sys.path
    assert list(entrypoint.load("os:path")) == [os.path]


def test_a_base_class_says_how_it_is_configured() -> None:
    @dffml.base_entry_point("test.base", "test", "base")
    class Base(dffml.Entrypoint):
        pass

    assert (Base.ENTRYPOINT, Base.ENTRY_POINT_NAME) == ("test.base", ["test", "base"])


def test_values_at_paths_are_set_and_read() -> None:
    target: dict[str, Any] = {"one": {}}
    data.traverse_set(target, "one.two", value=2)
    data.traverse_set(target, "three", "four", value=4)
    assert target == {"one": {"two": 2}, "three": {"four": 4}}
    said: dict[str, Any] = {}
    data.traverse_config_set(said, "source", "file", "a.csv")
    assert said == {"source": {"plugin": None, "config": {"file": {"plugin": "a.csv", "config": {}}}}}
    assert data.traverse_config_get(said, "source", "file") == "a.csv"
    made = data.traverse_config_set({}, "a", 1, init_fn=lambda: {"plugin": 0, "config": {"b": {}}})
    assert made == {"a": {"plugin": 1, "config": {"b": {}}}}


def test_mappings_are_merged() -> None:
    one = {"a": {"b": [1], "c": 1}}
    assert data.merge(one, {"a": {"b": [2], "c": 2}, "d": 3}) is one
    assert one == {"a": {"b": [1, 2], "c": 2}, "d": 3}
    assert data.merge({"a": [1]}, {"a": [2]}, list_append=False) == {"a": [2]}


class Point(NamedTuple):
    """Something with fields."""

    x: int


@dataclasses.dataclass
class Line:
    """Something with fields that have fields."""

    start: Point
    name: uuid.UUID


class Bigger:
    """Something that exports itself."""

    def export(self) -> dict[str, Any]:
        return {"sub": Point(1), "path": Path("a")}


class Plugged:
    """Something that a configuration names."""

    ENTRY_POINT_ORIG_LABEL = "plugged"
    config = Point(3)


def test_objects_become_plain_data() -> None:
    name = uuid.uuid4()
    assert data.export(Line(Point(1), name)) == {"start": {"x": 1}, "name": str(name)}
    assert data.export(Bigger()) == {"sub": {"x": 1}, "path": "a"}
    assert data.export_dict(a=[Point(1)], b=Point) == {"a": [{"x": 1}], "b": "Point"}
    assert data.export_list([Plugged(), 3]) == [{"plugin": "plugged", "config": {"x": 3}}, 3]


async def test_other_helpers_over_data(tmp_path: Path) -> None:
    async def later(value: int) -> int:
        return value + 1

    assert await data.nested_apply({"a": 1, "b": {"c": 2}}, later) == {"a": 2, "b": {"c": 3}}
    assert await data.nested_apply({"a": 1}, str) == {"a": "1"}
    assert data.ignore_args(lambda: 3)(1, a=2) == 3
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "two.txt").touch()
    found = data.explore_directories({"root": str(tmp_path), "other": "nowhere"})
    assert found == {"root": {"one": {"two": tmp_path / "one" / "two.txt"}}, "other": "nowhere"}


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("on", True), ("No", False), ("none", None), ("[1]", [1]), ("1,2", (1, 2)), ("a", "a"), ("a,", ["a"]),
     ("on,x,4", [True, "x", 4]), ("http://a,b", "http://a,b"), (3, 3)],
)  # fmt: skip
def test_words_of_a_command_line_have_a_meaning(word: Any, meaning: Any) -> None:
    assert data.parser_helper(word) == meaning


async def value_of(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


async def test_several_tasks_are_one_stream() -> None:
    work = {asyncio.create_task(value_of(at)): f"task {at}" for at in range(3)}
    found = []
    async for said, value in concurrent.concurrently(work):
        found.append((said, value))
        if value == 2:
            work[asyncio.create_task(value_of(9))] = "one more"
    assert sorted(found) == [("one more", 9), ("task 0", 0), ("task 1", 1), ("task 2", 2)]


async def test_the_first_exception_ends_the_others() -> None:
    other, kept = asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(asyncio.Event().wait())
    work: dict[asyncio.Task[Any], Any] = {asyncio.create_task(value_of(ValueError("bad"))): 1, other: 2, kept: 3}
    with pytest.raises(ValueError, match="bad"):
        async for _ in concurrent.concurrently(work, nocancel={kept}):
            pass
    await asyncio.gather(other, return_exceptions=True)
    assert (other.cancelled(), kept.done()) == (True, False)
    kept.cancel()
    lenient: dict[asyncio.Task[Any], Any] = {
        asyncio.create_task(value_of(ValueError("bad"))): 1,
        asyncio.create_task(value_of(2)): 2,
    }
    assert [value async for _, value in concurrent.concurrently(lenient, errors="ignore")] == [2]


class Entered:
    """Counts how often it is entered."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> "Entered":
        return self

    async def __aenter__(self) -> "Entered":
        self.times += 1
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.times -= 1


async def test_things_are_entered_together() -> None:
    class Holder:
        thing: Entered

    holder, thing = Holder(), Entered()
    stack = await concurrent.aenter_stack(holder, {"thing": thing})
    assert holder.thing is thing
    assert thing.times == 1
    await stack.aclose()
    stack = await concurrent.aenter_stack(holder, {"thing": thing}, call=False)
    await stack.aclose()
    async with concurrent.AsyncContextManagerList(thing, Entered()) as things, things() as contexts:
        assert (len(contexts), thing.times) == (2, 2)
    assert thing.times == 0


PROGRAM = "import sys; print('out'); print('wrong', file=sys.stderr); sys.exit(int(sys.argv[1]))"


async def test_a_program_is_a_stream_of_events(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    command = [sys.executable, "-c", PROGRAM, "0"]
    wanted = list(programs.Subprocess)
    logger = logging.getLogger("programs")
    found = {event: value async for event, value in programs.run_command_events(command, events=wanted, logger=logger)}
    assert found.pop(programs.Subprocess.CREATED).returncode == 0
    assert found == {
        programs.Subprocess.STDOUT_READLINE: b"out\n",
        programs.Subprocess.STDERR_READLINE: b"wrong\n",
        programs.Subprocess.STDOUT: b"out\n",
        programs.Subprocess.STDERR: b"wrong\n",
        programs.Subprocess.COMPLETED: 0,
    }
    assert "stdout.readline: out" in caplog.text


async def test_a_program_that_fails_says_what_it_wrote() -> None:
    command = [sys.executable, "-c", PROGRAM, "3"]
    with pytest.raises(RuntimeError, match="wrong"):
        await programs.run_command(command)
    lenient = programs.run_command_events(command, events=[programs.Subprocess.COMPLETED], raise_on_failure=False)
    assert [value async for _, value in lenient] == [3]


async def test_a_program_is_killed_when_nobody_listens() -> None:
    events = programs.exec_subprocess([sys.executable, "-c", "input()"], stdin=asyncio.subprocess.PIPE, stdout=None)
    event, process = await anext(events)
    assert event is programs.Subprocess.CREATED
    await events.aclose()
    assert process.returncode == -9


def test_programs_are_found_in_folders_before_the_path(tmp_path: Path) -> None:
    program = tmp_path / "tidemill-test-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert which(program.name) is None
    before = os.environ["PATH"]
    with prepend_to_path(tmp_path):
        assert which(program.name) == program.resolve()
    assert os.environ["PATH"] == before
    environment = {"PATH": "/bin"}
    with prepend_to_path("/a", "/b", env=environment):
        assert environment["PATH"] == "/a:/b:/bin"
    with chdir(tmp_path):
        assert Path.cwd() == tmp_path.resolve()


async def test_files_are_loaded_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").write_text('{"a": 1}')
    (tmp_path / "b.yaml").write_text("b: [1]\n")
    async with ConfigLoaders() as loaders:
        assert await loaders.load_file(tmp_path / "sub" / "a.json", base_dir=tmp_path) == (("sub", "a"), {"a": 1})
        assert (await loaders.load_file(str(tmp_path / "b.yaml")))[1] == {"b": [1]}
        with pytest.raises(EntrypointNotFound, match='no loader for "jsn" .*did you mean "json"'):
            await loaders.load_file(tmp_path / "c.jsn")
    for loader in (JSONConfigLoader, YAMLConfigLoader):
        async with loader() as entered, entered() as context:
            assert await context.loadb(await context.dumpb({"a": [1, None]})) == {"a": [1, None]}
            with pytest.raises(InvalidDocument):
                await context.loadb(b"{")
    assert {JSONConfigLoader, YAMLConfigLoader} <= set(BaseConfigLoader.load())
    context = BaseConfigLoaderContext(JSONConfigLoader())
    for call in (context.loadb(b""), context.dumpb({})):
        with pytest.raises(NotImplementedError):
            await call


@dffml.config
class ThingConfig:
    """How a thing is."""

    size: int
    name: str = "mill"


class ThingContext(dffml.BaseDataFlowFacilitatorObjectContext):
    """Does the work of a thing."""

    def __init__(self, config: Any, parent: "Thing") -> None:
        self.parent = parent


@dffml.entrypoint("big")
@dffml.base_entry_point("test.things", "thing")
class Thing(dffml.BaseDataFlowFacilitatorObject):
    """Is configured, entered, and gives contexts."""

    CONFIG = ThingConfig
    CONTEXT = ThingContext


class Older(Thing):
    """Has an ``__init__`` that takes a configuration only."""

    def __init__(self, config: ThingConfig) -> None:
        super().__init__(config)
        self.doubled = config.size * 2


async def test_a_thing_is_configured_by_an_object_by_fields_or_by_a_mapping() -> None:
    assert Thing(ThingConfig(1)) == Thing(size=1) == Thing({"size": 1}) == Thing.withconfig({"size": "1"})
    assert Thing(size=1) != Thing(size=2)
    assert Older(size=2).doubled == 4  # type: ignore[call-arg]
    nested = {"thing": {"plugin": None, "config": {"big": {"plugin": None, "config": {
        "size": {"plugin": ["3"], "config": {}}}}}}}  # fmt: skip
    assert Thing.withconfig(nested).config == ThingConfig(3)
    assert repr(Thing(size=1)) == "Thing(ThingConfig(size=1, name='mill'))"
    async with Thing(size=1) as thing, thing() as context:
        assert context.parent is thing
        assert context.logger.name == "tidemill.ThingContext"
        assert context.env["PATH"] == os.environ["PATH"]


def test_a_thing_without_what_it_needs_is_refused() -> None:
    with pytest.raises(TidemillError, match="not both"):
        Thing(ThingConfig(1), size=2)
    with pytest.raises(TypeError, match="Thing is missing its configuration: size"):
        Thing()

    class NoContext(dffml.BaseDataFlowFacilitatorObject):
        pass

    with pytest.raises(TidemillError, match="NoContext has no CONTEXT"):
        NoContext()

    class Bare(dffml.BaseConfigurable):
        pass

    assert Bare().config == dffml.BaseConfig() == Bare.withconfig({}).config
    with pytest.raises(TypeError, match="takes none of"):
        Bare(a=1)
    assert len({dffml.BaseConfig(), dffml.BaseConfig()}) == 1
