"""Configuration of implementations: dataclasses that can also be made of plain data.

Plain data is a mapping of the fields, or the form in which DFFML's files nest what is configured:
``{"plugin": value, "config": {...}}``. Neighbours: `runtime.implementation` takes one, `runtime.decorator` names its
class as ``config_cls``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform, overload

from tidemill.errors import ImmutableConfigPropertyError, TidemillError, shown

__all__ = [
    "BaseConfig",
    "as_config",
    "config",
    "field",
    "hints_of",
    "make_config",
    "plain_fields",
    "without_none",
]

Class = TypeVar("Class", bound=type)


class BaseConfig:
    """A configuration without fields: what an implementation has that asks for none."""

    def __repr__(self) -> str:
        return "BaseConfig()"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


def field(
    description: str,
    *args: Any,
    action: Any = None,
    required: bool = False,
    labeled: bool = False,
    mutable: bool = False,
    metadata: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Return a dataclass field with a description for people; what is not named here is `dataclasses.field`'s.

    A ``mutable`` field may be changed; callbacks given to the configuration's ``add_mutable_callback`` are told.
    ``action``, ``required`` and ``labeled`` are notes for command lines.
    """
    said = {"action": action, "required": required, "labeled": labeled, "mutable": mutable}
    notes = {name: value for name, value in said.items() if value}
    return dataclasses.field(*args, metadata={**(metadata or {}), "description": description, **notes}, **kwargs)


@overload
def config(cls: Class) -> Class: ...
@overload
def config(cls: None = None, **kwargs: Any) -> Callable[[Class], Class]: ...
@dataclass_transform(field_specifiers=(field, dataclasses.field))
def config(cls: Any = None, **kwargs: Any) -> Any:
    """Make a class a configuration: a frozen dataclass with ``_fromdict``, ``_asdict`` and ``_replace``.

    ``with made.no_enforce_immutable():`` lets any field be changed. Changing one otherwise raises
    `ImmutableConfigPropertyError`, unless it is declared as ``field(…, mutable=True)``.
    """

    def make(made: type) -> type:
        frozen = kwargs.pop("frozen", True)
        made = dataclasses.dataclass(frozen=frozen, **kwargs)(made)
        return _equipped(made, frozen)

    return make if cls is None else make(cls)


def make_config(cls_name: str, fields: Any, *args: Any, namespace: Any = None, **kwargs: Any) -> type:
    """Return a configuration of (name, type, field) triples; those without a default come first."""

    def has_default(triple: Any) -> bool:
        return any(getattr(triple[2], name) is not dataclasses.MISSING for name in ("default", "default_factory"))

    ordered = sorted(fields, key=has_default)
    made = dataclasses.make_dataclass(cls_name, ordered, *args, namespace=namespace, frozen=True, **kwargs)
    return _equipped(made, frozen=True)


def _equipped(made: Any, frozen: bool) -> type:
    made._fromdict = classmethod(_fromdict)
    made._asdict = _asdict
    made._replace = dataclasses.replace
    if frozen:
        made.__setattr__ = _set
        made.no_enforce_immutable = _no_enforce_immutable
        made.add_mutable_callback = _add_mutable_callback
        made.__init__ = _opening(made.__init__)
    equipped: type = made
    return equipped


def _opening(init: Callable[..., None]) -> Callable[..., None]:
    """Return an ``__init__`` during which, ``__post_init__`` included, fields may be set."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        with _no_enforce_immutable(self):
            init(self, *args, **kwargs)

    __init__.__wrapped__ = init  # type: ignore[attr-defined]
    __init__.__doc__ = init.__doc__
    return __init__


@contextlib.contextmanager
def _no_enforce_immutable(self: Any) -> Iterator[None]:
    before = self.__dict__.get("_open", False)
    object.__setattr__(self, "_open", True)
    try:
        yield
    finally:
        object.__setattr__(self, "_open", before)


def _add_mutable_callback(self: Any, func: Callable[[str, Any], Any]) -> None:
    object.__setattr__(self, "_callbacks", [*self.__dict__.get("_callbacks", ()), func])


def _set(self: Any, name: str, value: Any) -> None:
    known = {item.name: item for item in dataclasses.fields(self)}
    if not self.__dict__.get("_open") and not (name in known and known[name].metadata.get("mutable")):
        raise ImmutableConfigPropertyError(
            f"{type(self).__name__}.{name} cannot be changed; declare it with field(..., mutable=True)"
        )
    object.__setattr__(self, name, value)
    for callback in self.__dict__.get("_callbacks", ()):
        callback(name, value)


def _asdict(self: Any) -> dict[str, Any]:
    return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}


def _fromdict(cls: Any, /, **said: Any) -> Any:
    hints = hints_of(cls)
    return cls(**{name: _converted(cls, name, hints.get(name), value) for name, value in said.items()})


def hints_of(cls: Any) -> dict[str, Any]:
    """Return the types of the fields of a configuration, as far as they are there when a program runs."""
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError):  # a type that is only there for type checkers
        return {}


def _converted(cls: Any, name: str, hint: Any, value: Any) -> Any:
    """Return a value as its field has it, where plain data can say it: words for numbers, paths, nested fields."""
    hint = without_none(hint)
    if _is_nested(value):
        inner = plain_fields(value["config"])
        if not inner:
            value = value["plugin"]
        elif dataclasses.is_dataclass(hint):
            return as_config(typing.cast("type", hint), inner)
    if isinstance(value, (list, tuple)) and len(value) == 1 and hint in (int, float, bool, str, Path):
        value = value[0]
    if isinstance(value, Mapping) and dataclasses.is_dataclass(hint):
        return as_config(typing.cast("type", hint), value)
    if isinstance(value, str) and hint in (int, float, bool, Path):
        return _read(cls, name, typing.cast("type", hint), value)
    return value


def without_none(hint: Any) -> Any:
    """Return X for ``X | None``, and any other type as it is."""
    others = [one for one in typing.get_args(hint) if one is not type(None)]
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return others[0] if is_union and len(others) == 1 else hint


def _read(cls: Any, name: str, hint: type, text: str) -> Any:
    if hint is bool:
        word = text.strip().lower()
        if word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            return word in ("true", "yes", "on", "1")
    else:
        try:
            return hint(text)
        except ValueError:
            pass
    said = f"{cls.__name__}.{name} is {shown(text)}, expected {hint.__name__}"
    raise TidemillError(said, reason="InvalidConfig", path=f"/{name}")


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"plugin", "config"} and isinstance(value["config"], Mapping)


def plain_fields(said: Mapping[str, Any] | None, *above: str) -> dict[str, Any]:
    """Return the fields that a mapping says, whether it is plain or nested as DFFML's command line nests what it reads.

    ``above`` are the keys under which a nested one has them, such as ``"orchestrator", "memory"``; what is not there
    is left out.
    """
    found: Any = said or {}
    for key in above:
        inner = found.get(key)
        found = inner["config"] if _is_nested(inner) else found
    return {
        name.replace("-", "_"): value["plugin"] if _is_nested(value) and not value["config"] else value
        for name, value in found.items()
    }


def as_config(cls: type | None, given: Any) -> Any:
    """Return the configuration that ``given`` (an object, a mapping or None) stands for."""
    if cls is None:
        return BaseConfig() if given is None else given
    if given is None or (type(given) is BaseConfig and cls is not BaseConfig):
        return cls()
    if isinstance(given, Mapping):
        from_dict = getattr(cls, "_fromdict", cls)
        return from_dict(**given)
    return given
