"""The child's side of a process executor, called in this process: a call in, the outcome as bytes out."""

import asyncio
import itertools
import os
import pickle
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.runtime.children import DEPTH_SHOWN, Reading, called, outcome_of, run_encoded
from tidemill.runtime.located import Place

ALL = Reading(None, frozenset(), None)
HERE = __name__


def _run(name: str, reading: Reading = ALL, module: str = HERE, **arguments: Any) -> Any:
    return outcome_of(run_encoded(Place(module, name, None), pickle.dumps(arguments), reading))


def double(number: int) -> int:
    return number * 2


async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return double(number)


async def count(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield number


class Holder:
    @staticmethod
    def inner() -> str:
        return "inner"


def raise_(what: type[BaseException]) -> None:
    raise what("on purpose")


def give(what: str) -> Any:
    nested: Any = threading.Lock()
    for _ in range(DEPTH_SHOWN * 2):
        nested = [nested]
    given = {"a/b": {"c": threading.Lock()}, "deep": nested, "lock": threading.Lock(), "tuple": (1, threading.Lock())}
    return given[what] if what != "a/b" else {"a/b": given["a/b"]}


def leave_for(directory: str, remove: str) -> None:
    os.chdir(directory)
    os.environ["TIDEMILL_CHILD"] = "changed"
    sys.path.append("changed")
    os.umask(0o123)
    if remove:
        os.rmdir(directory)


# -- calls ------------------------------------------------------------------------------------------------------------


def test_a_function_is_called_by_its_name() -> None:
    assert _run("double", number=21) == ("returned", 42)


def test_a_function_within_a_class_is_found() -> None:
    assert _run("Holder.inner") == ("returned", "inner")


def test_a_coroutine_gets_a_loop_of_its_own() -> None:
    assert _run("double_later", number=21) == ("returned", 42)


def test_what_a_generator_yields_is_collected() -> None:
    assert _run("count", to=3) == ("yielded", [0, 1, 2])


def test_a_generator_is_read_to_one_more_than_the_limit() -> None:
    assert _run("count", Reading(None, frozenset(), 2), to=1000) == ("yielded", [0, 1, 2])


def test_an_exception_comes_back_as_its_type_message_and_traceback() -> None:
    what, (kind, message, text) = _run("raise_", what=LookupError)
    assert (what, kind, message) == ("raised", "LookupError", "on purpose")
    assert "in raise_" in text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exit_comes_back_as_one(error: type[BaseException]) -> None:
    assert _run("raise_", what=error) == ("exit", f"{error.__name__}: on purpose")


@pytest.mark.parametrize(("module", "name"), [("tidemill.not_there", "double"), (HERE, "triple")])
def test_what_cannot_be_imported_is_unloadable(module: str, name: str) -> None:
    what, message = _run(name, module=module, number=1)
    assert what == "unloadable"
    assert message.startswith(f"{module}:{name} cannot be imported in its process: ")


# -- what cannot be sent ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "path"), [("lock", ""), ("a/b", "/a~1b/c"), ("tuple", "/1")])
def test_what_cannot_be_pickled_is_named_by_its_path(what: str, path: str) -> None:
    kind, (found, said) = _run("give", what=what)
    assert (kind, found) == ("unserialisable", path)
    assert said.startswith("type lock: TypeError: ")


def test_the_path_to_what_cannot_be_pickled_is_followed_so_far_only() -> None:
    kind, (found, said) = _run("give", what="deep")
    assert kind == "unserialisable"
    assert found == "/0" * DEPTH_SHOWN
    assert said.startswith("type list: ")


def test_what_cannot_be_read_back_is_an_outcome_too() -> None:
    kind, (path, said) = outcome_of(b"no pickle")
    assert (kind, path) == ("unserialisable", "")
    assert said.startswith("it cannot be read back: ")


# -- what a call changes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remove", ["", "remove"])
def test_a_call_leaves_the_process_as_it_found_it(tmp_path: Path, remove: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    umask = os.umask(0o022)
    before = (os.getcwd(), dict(os.environ), list(sys.path))
    try:
        assert _run("leave_for", directory=str(other), remove=remove) == ("returned", None)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)
    assert (os.getcwd(), dict(os.environ), list(sys.path)) == before


def test_a_call_from_a_directory_that_is_gone_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert _run("double", number=21) == ("returned", 42)


# -- how far results are read -----------------------------------------------------------------------------------------


def _lazily() -> Iterator[int]:
    return itertools.count()


@pytest.mark.parametrize(
    ("reading", "returned", "read"),
    [
        (Reading("out", frozenset({"out"}), 2), itertools.count(), [0, 1, 2]),
        (Reading("out", frozenset({"out"}), None), iter("ab"), ["a", "b"]),
        (Reading("out", frozenset({"out"}), 2), [1, 2, 3, 4], [1, 2, 3, 4]),
        (Reading(None, frozenset({"out"}), 1), {"out": itertools.count(), "other": 1}, {"out": [0, 1], "other": 1}),
        (Reading(None, frozenset({"out"}), 1), None, None),
    ],
)
def test_lazy_lists_are_read_where_they_are_expanded(reading: Reading, returned: Any, read: Any) -> None:
    assert reading.read(returned) == read


@pytest.mark.parametrize("reading", [Reading("out", frozenset(), 2), Reading(None, frozenset(), 2)])
def test_an_iterator_that_is_a_value_is_left_alone(reading: Reading) -> None:
    value = _lazily()
    assert reading.read(value) is value


def test_a_call_on_a_thread_is_read_in_the_same_way() -> None:
    assert called(_lazily, {}, Reading("out", frozenset({"out"}), 2)) == ("returned", [0, 1, 2])
