"""How a function is told to a child process, which imports it by itself: module, name, and the file of the module.

The file is for modules that the child cannot import by their name, as they were loaded by path.
Neighbours: `runtime.processes` (the parent's side), `runtime.children` (the child's).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Place", "found_at", "locate"]

_MAIN = "__main__"
_loaded: dict[str, ModuleType] = {}
"""Modules that were loaded by path in this process, by their files: each is run once."""


class Place(NamedTuple):
    """Where a function is: its module, its qualified name there, and the module's file (None: the module's name is
    enough)."""

    module: str
    name: str
    file: str | None


def locate(function: Callable[..., Any]) -> Place:
    """Return where a function is, so that another process finds it there.

    Raises ValueError for one that it could not find: a lambda, a function within a function, something that is no
    function, or a function of a program that is in no file.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None or name is None:
        raise ValueError(
            f"an object of type {type(function).__name__} cannot be imported by another process; write a function at "
            "the top level of a module that calls it"
        )
    for scope in _scopes(function, module):
        if _within(scope, name) is function:
            return _placed(module, name, scope)
    raise ValueError(f"{module}:{name} cannot be imported by another process; define it at the top level of a module")


def _scopes(function: Any, module: str) -> list[Mapping[str, Any]]:
    """Return the names of the module, of which there are others when it was loaded by path and is kept nowhere."""
    known = sys.modules.get(module)
    scopes: list[Mapping[str, Any]] = [vars(known)] if known is not None else []
    own = getattr(function, "__globals__", None)
    if own is not None and own.get("__name__") == module:
        scopes.append(own)
    return scopes


def _within(scope: Mapping[str, Any], name: str) -> Any:
    first, *others = name.split(".")
    found = scope.get(first)
    for part in others:
        found = getattr(found, part, None)
    return found


def _placed(module: str, name: str, scope: Mapping[str, Any]) -> Place:
    file = scope.get("__file__")
    path = os.path.abspath(file) if isinstance(file, str) else None
    if module == _MAIN:
        if path is None or not os.path.exists(path):
            raise ValueError(
                f'"{name}" cannot be imported by another process, as the program is in no file; write it to a file'
            )
        run_as = getattr(scope.get("__spec__"), "name", _MAIN)
        if run_as.endswith(f".{_MAIN}"):  # of a package: no child has it as its main module
            module = run_as
    return Place(module, name, path)


def found_at(place: Place) -> Any:
    """Return the function, its module imported, or loaded from its file if there is none, or another one, by its name.

    Raises what importing raises, and AttributeError if the module has no such function.
    """
    found: Any = _module(place)
    for part in place.name.split("."):
        found = getattr(found, part)
    return found


def _module(place: Place) -> ModuleType:
    if place.file in _loaded:
        return _loaded[place.file]
    try:
        found = importlib.import_module(place.module)
    except ModuleNotFoundError as error:
        missing = error.name is not None and f"{place.module}.".startswith(f"{error.name}.")
        if place.file is None or not missing:  # it is there, and itself lacks something
            raise
    else:
        if place.file is None or _is_of(found, place.file):
            return found
    # A main module is one for the program only: here it is not to do what it does as a program.
    loaded = _load("__mp_main__" if place.module == _MAIN else place.module, place.file)
    _loaded[place.file] = loaded
    return loaded


def _is_of(module: ModuleType, file: str) -> bool:
    own = getattr(module, "__file__", None)
    # What lies in an archive can be imported only.
    return not os.path.isfile(file) or (own is not None and os.path.realpath(own) == os.path.realpath(file))


def _load(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file", name=name, path=file)
    made = importlib.util.module_from_spec(spec)
    taken = sys.modules.setdefault(name, made) is not made  # classes that are defined there are pickled by this name
    try:
        spec.loader.exec_module(made)
    except BaseException:
        if not taken:
            del sys.modules[name]
        raise
    return made
