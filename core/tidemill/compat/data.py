"""Helpers over plain data: paths in nested mappings, merging, and turning objects into data."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from tidemill.operation.mapping import path_of, traverse_get

__all__ = [
    "explore_directories",
    "export",
    "export_dict",
    "export_list",
    "ignore_args",
    "merge",
    "nested_apply",
    "parser_helper",
    "split_dot_seperated",
    "traverse_config_get",
    "traverse_config_set",
    "traverse_get",
    "traverse_set",
]

split_dot_seperated = path_of


def traverse_set(target: Any, *args: Any, value: Any) -> None:
    """Set what is at a path of nested mappings; mappings that are missing on the way are made."""
    keys = path_of(args[0]) if len(args) == 1 and isinstance(args[0], str) else list(args)
    for key in keys[:-1]:
        target = target.setdefault(key, {})
    target[keys[-1]] = value


def traverse_config_set(
    target: Any,
    *args: Any,
    nesting_key: str = "config",
    value_key: str = "plugin",
    init_fn: Callable[[], dict[str, Any]] | None = None,
) -> Any:
    """Set the value (the last argument) at a path of nested ``{"plugin": value, "config": {…}}``, and return all."""
    *keys, value = args
    inner = last = target
    for key in keys:
        if key not in inner:
            inner[key] = init_fn() if init_fn is not None else {value_key: None, nesting_key: {}}
        last = inner[key]
        inner = last[nesting_key]
    last[value_key] = value
    return target


def traverse_config_get(target: Any, *args: Any) -> Any:
    """Return the value at a path of nested ``{"plugin": value, "config": {…}}``. Raises KeyError."""
    last = {"config": target}
    for key in args:
        last = last["config"][key]
    return last["plugin"]


def merge(one: dict[Any, Any], two: Mapping[Any, Any], list_append: bool = True) -> dict[Any, Any]:
    """Merge ``two`` into ``one`` and return it: mappings key by key, lists one after the other, else ``two`` wins."""
    for key, value in two.items():
        known = one.get(key)
        if isinstance(known, dict) and isinstance(value, Mapping):
            merge(known, value, list_append=list_append)
        elif list_append and isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        else:
            one[key] = value
    return one


def ignore_args(func: Callable[[], Any]) -> Callable[..., Any]:
    """Return a function that takes any arguments and calls ``func`` without."""

    @functools.wraps(func)
    def called(*args: Any, **kwargs: Any) -> Any:
        return func()

    return called


def parser_helper(value: Any) -> Any:
    """Return what a word of a command line means: a literal of Python, a boolean word, a list, or itself."""
    if not isinstance(value, str):
        return value
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        if "," in value and "://" not in value:
            return [parser_helper(part) for part in value.split(",") if part]
        return value


_WORDS = {
    **dict.fromkeys(("null", "nil", "none")),
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
}


def explore_directories(path_dict: dict[str, Any]) -> dict[str, Any]:
    """Put in the place of each directory a mapping of what is in it, by name without suffix; return the mapping."""
    for key, value in path_dict.items():
        if Path(value).is_dir():
            path_dict[key] = explore_directories({path.stem: path for path in Path(value).iterdir()})
    return path_dict


async def nested_apply(target: dict[Any, Any], func: Callable[[Any], Any]) -> dict[Any, Any]:
    """Put what ``func`` returns in the place of each value of nested mappings; return the mapping."""
    for key, value in target.items():
        if isinstance(value, dict):
            target[key] = await nested_apply(value, func)
        else:
            made = func(value)
            target[key] = await made if inspect.isawaitable(made) else made
    return target


def export(obj: Any) -> Any:
    """Return an object as plain data: what has ``export``, NamedTuples, dataclasses, paths, identities, arrays."""
    if inspect.isclass(obj):
        return obj.__qualname__
    if isinstance(obj, Mapping):
        return {key: export(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [export(value) for value in obj]
    if isinstance(obj, (PurePath, uuid.UUID)):
        return str(obj)
    said = _said(obj)
    return obj if said is obj else export(said)


def _said(obj: Any) -> Any:
    """Return what an object says of itself in plain data, or the object."""
    if hasattr(obj, "ENTRY_POINT_ORIG_LABEL") and hasattr(obj, "config"):
        return {"plugin": obj.ENTRY_POINT_ORIG_LABEL, "config": obj.config}
    for name in ("export", "_asdict", "model_dump", "tolist"):
        if callable(getattr(obj, name, None)):
            return getattr(obj, name)()
    if dataclasses.is_dataclass(obj):
        return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
    return obj


def export_dict(**kwargs: Any) -> dict[str, Any]:
    """Return the keywords as plain data."""
    return {key: export(value) for key, value in kwargs.items()}


def export_list(iterable: list[Any]) -> list[Any]:
    """Return a list as plain data."""
    return [export(value) for value in iterable]
