"""Definitions from a signature: what the parameters and the return value of a function say about its data.

A parameter's definition is named after its type where that is a name of the domain (a NewType, a class) and
``<operation>.inputs.<parameter>`` where it is a primitive; the Python default is its default.
"""

from __future__ import annotations

import collections.abc
import inspect
import logging
import types
import typing
from collections.abc import Callable
from typing import Any

from tidemill.errors import LoadError, shown
from tidemill.model.definition import NO_DEFAULT, Definition, definition_of
from tidemill.model.primitives import CANONICAL
from tidemill.runtime.implementation import OperationImplementationContext

__all__ = [
    "GIVEN_BY_ENGINE",
    "create_definition",
    "inputs_of",
    "name_of",
    "new_type_to_defininition",
    "outputs_of",
    "wants",
]

GIVEN_BY_ENGINE = ("self", "logger", "env")
"""Parameters that are no inputs: the engine fills them."""

_STREAMS = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
    collections.abc.Awaitable,
)


def name_of(decorated: Any) -> str:
    """Return the name of the operation that a function or class becomes: ``module:name``, or ``name`` in ``__main__``.

    Raises `LoadError` for what has none: a lambda, an object that can be called.
    """
    name = str(getattr(decorated, "__qualname__", "")).rsplit("<locals>.", 1)[-1]
    if not name or name == "<lambda>":
        what = "a lambda" if name else shown(decorated)
        raise LoadError(f"{what} has no name: give @op(name=...)", reason="SignatureMismatch")
    module = decorated.__module__
    return name if module == "__main__" else f"{module}:{name}"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # a forward reference to what is not there yet: the raw annotation says enough
        return dict(getattr(function, "__annotations__", {}))


def wants(function: Callable[..., Any], config_cls: type | None) -> dict[str, str]:
    """Return what the engine fills, by parameter: "self", "logger", "env" or "config"."""
    hints = _hints(function)
    wanted = {}
    for name in inspect.signature(function).parameters:
        hint = hints.get(name)
        if name == "self" or hint is OperationImplementationContext:
            wanted[name] = "self"
        elif name == "logger" or hint is logging.Logger:
            wanted[name] = "logger"
        elif name == "env":
            wanted[name] = "env"
        elif config_cls is not None and hint is config_cls:
            wanted[name] = "config"
    return wanted


def inputs_of(function: Callable[..., Any], operation: str, config_cls: type | None) -> dict[str, Definition]:
    """Return the definitions of the parameters of a function."""
    hints, filled = _hints(function), wants(function, config_cls)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in filled or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default = NO_DEFAULT if parameter.default is parameter.empty else parameter.default
        found[name] = _definition(f"{operation}.inputs.{name}", hints.get(name, Any), default)
    return found


def outputs_of(function: Callable[..., Any], operation: str) -> dict[str, Definition]:
    """Return the definition of what a function returns, as the output ``result``; none if it says it returns
    nothing."""
    hint = _hints(function).get("return", inspect.Signature.empty)
    if hint in (None, type(None), inspect.Signature.empty):
        return {}
    return {"result": _definition(f"{operation}.outputs.result", hint, NO_DEFAULT)}


def create_definition(name: str, param_annotation: Any, default: Any = NO_DEFAULT) -> Definition:
    """Return the definition that an annotation stands for; ``name`` is its name where that is a primitive."""
    return _definition(name, param_annotation, default)


def new_type_to_defininition(new_type: Any) -> Definition:
    """Return the definition that a `typing.NewType` stands for: it has its name."""
    return _definition(str(new_type.__name__), new_type, NO_DEFAULT)


def _definition(name: str, annotation: Any, default: Any) -> Definition:
    if isinstance(annotation, Definition):
        return annotation if default is NO_DEFAULT else annotation._replace(default=default)
    if annotation in _STREAMS:
        annotation = Any  # values of any type, one after the other
    elif typing.get_origin(annotation) in _STREAMS:
        annotation = typing.get_args(annotation)[0]
    annotation = _without_none(annotation, default)
    if isinstance(annotation, typing.NewType):
        made = definition_of(annotation.__name__, annotation.__supertype__, default)
        return made
    if inspect.isclass(annotation) and not typing.get_origin(annotation) and not _is_primitive(annotation):
        return definition_of(annotation.__qualname__.rsplit("<locals>.", 1)[-1], annotation, default)
    element = _spec_of_elements(annotation)
    made = definition_of(name, annotation, default)
    return made._replace(spec=element, subspec=True) if element is not None else made


def _is_primitive(annotation: type) -> bool:
    # Any is a class, and names nothing of the domain.
    return annotation.__name__ in CANONICAL or annotation in (object, tuple, set, frozenset, Any)


def _without_none(annotation: Any, default: Any) -> Any:
    """Return X for ``X | None`` with the default None; any other union takes anything."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    others = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
    return others[0] if len(others) == 1 and default is None else Any


def _spec_of_elements(annotation: Any) -> type | None:
    """Return the class of the elements of a list, or of the values of a mapping, if it is one that mappings become."""
    if typing.get_origin(annotation) not in (list, dict):
        return None
    last = typing.get_args(annotation)[-1]
    is_spec = inspect.isclass(last) and (hasattr(last, "_fields") or hasattr(last, "__dataclass_fields__"))
    return last if is_spec else None
