"""Configuration of implementations: dataclasses that can also be made of plain data.

Neighbours: `runtime.implementation` takes one, `runtime.decorator` names its class as ``config_cls``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = ["BaseConfig", "as_config", "config", "field"]

Class = TypeVar("Class", bound=type)


class BaseConfig:
    """A configuration without fields: what an implementation has that asks for none."""

    def __repr__(self) -> str:
        return "BaseConfig()"


def field(description: str, *args: Any, **kwargs: Any) -> Any:
    """Return a dataclass field with a description for people; all else is `dataclasses.field`'s."""
    metadata = {**(kwargs.pop("metadata", None) or {}), "description": description}
    return dataclasses.field(*args, metadata=metadata, **kwargs)


@overload
def config(cls: Class) -> Class: ...
@overload
def config(cls: None = None, **kwargs: Any) -> Callable[[Class], Class]: ...
@dataclass_transform(field_specifiers=(field, dataclasses.field))
def config(cls: Any = None, **kwargs: Any) -> Any:
    """Make a class a configuration: a frozen dataclass with ``_fromdict``, ``_asdict`` and ``_replace``."""

    def make(made: type) -> type:
        made = dataclasses.dataclass(frozen=kwargs.pop("frozen", True), **kwargs)(made)
        made._fromdict = classmethod(lambda own, **said: own(**said))  # type: ignore[attr-defined]
        made._asdict = _asdict  # type: ignore[attr-defined]
        made._replace = dataclasses.replace  # type: ignore[attr-defined]
        return made

    return make if cls is None else make(cls)


def _asdict(self: Any) -> dict[str, Any]:
    return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}


def as_config(cls: type | None, given: Any) -> Any:
    """Return the configuration that ``given`` (an object, a mapping or None) stands for."""
    if cls is None:
        return BaseConfig() if given is None else given
    if given is None:
        return cls()
    if isinstance(given, Mapping):
        from_dict = getattr(cls, "_fromdict", cls)
        return from_dict(**given)
    return given
