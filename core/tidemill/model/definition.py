"""A definition is the type of a datum: its name, and what has to hold for every value of it.

Definitions are compared and hashed by what they say, so that one that was read from a file equals the one that was
written to it. Neighbours: `model.primitives` (the check behind ``primitive``), `model.input` (values of it).
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tidemill.errors import TidemillError, pointer, shown
from tidemill.model.primitives import checker_of, primitive_of

__all__ = ["NO_DEFAULT", "Definition", "NoDefault", "build_spec", "convert", "definition_of", "export_spec"]


class NoDefault:
    """The type of `NO_DEFAULT`, which says that a definition has no default."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_DEFAULT"

    def __reduce__(self) -> str:
        return "NO_DEFAULT"  # a copy, or what comes out of another process, is the one there is


NO_DEFAULT = NoDefault()
"""Stands where a definition has no default; compared with ``is``."""

DEDUPE_VALUE = "value"


@dataclasses.dataclass(frozen=True, eq=False)
class Definition:
    """The type of a datum.

    ``primitive`` is a free string; the well-known ones are checked (see `model.primitives`). ``default`` is taken by a
    parameter that no input can reach any more. ``lock`` makes every operation hold an input of this definition, or
    a descendant of one, exclusively. ``spec`` is a NamedTuple or dataclass that mappings are turned into
    (``subspec``: the elements of a list, or the values of a mapping). ``validate`` is a callable that returns the value
    to use, or the instance name of a validator operation. ``links`` are definitions that this one builds on.
    ``dedupe="value"`` makes equal values of one origin one input.
    """

    name: str
    primitive: str = "generic"
    default: Any = NO_DEFAULT
    lock: bool = False
    spec: type[Any] | None = None
    subspec: bool = False
    validate: Callable[[Any], Any] | str | None = None
    links: tuple[Definition, ...] | None = None
    dedupe: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TidemillError(
                f"a definition is named by a non-empty string, not {shown(self.name)}", reason="InvalidDefinition"
            )
        if self.dedupe not in (None, DEDUPE_VALUE):
            raise TidemillError(
                f'definition "{self.name}": dedupe is None or "value", not {shown(self.dedupe)}',
                reason="InvalidDefinition",
                path=pointer("definitions", self.name, "dedupe"),
            )

    @property
    def has_default(self) -> bool:
        """Whether a default was given."""
        return self.default is not NO_DEFAULT

    @property
    def nullable(self) -> bool:
        """Whether None is a value of this definition: its default is None, or its primitive takes anything."""
        return self.default is None or checker_of(self.primitive) is None

    def __repr__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash((self.name, self.primitive, self.lock))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Definition):
            return NotImplemented
        mine, theirs = self._said(), other._said()
        return mine == theirs

    def _said(self) -> tuple[Any, ...]:
        spec = None if self.spec is None else export_spec(self.spec)
        subspec = self.spec is not None and self.subspec
        return (self.name, self.primitive, self.default, self.lock, spec, subspec, self.validate,
                tuple(self.links or ()), self.dedupe)  # fmt: skip

    def _replace(self, **changes: Any) -> Definition:
        return dataclasses.replace(self, **changes)

    def _asdict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def export(self) -> dict[str, Any]:
        """Return the definition as plain data, without what is unset.

        Raises `TidemillError` (NotExportable) for a callable ``validate``: code is not data.
        """
        exported: dict[str, Any] = {"name": self.name, "primitive": self.primitive}
        if self.has_default:
            exported["default"] = self.default
        if self.lock:
            exported["lock"] = True
        if self.spec is not None:
            exported["spec"] = export_spec(self.spec)
            exported["subspec"] = self.subspec
        if self.validate is not None:
            if not isinstance(self.validate, str):
                raise TidemillError(
                    f'definition "{self.name}" is validated by the function {shown(self.validate)}, which cannot be '
                    "written to a file; name a validator operation instead",
                    reason="NotExportable",
                    path=pointer("definitions", self.name, "validate"),
                )
            exported["validate"] = self.validate
        if self.links:
            exported["links"] = [link.export() for link in self.links]
        if self.dedupe:
            exported["dedupe"] = self.dedupe
        return exported

    @classmethod
    def _fromdict(cls, **said: Any) -> Definition:
        said = dict(said)
        if isinstance(said.get("spec"), Mapping):
            said["spec"] = build_spec(said["spec"])
        if said.get("links"):
            said["links"] = tuple(
                link if isinstance(link, Definition) else cls._fromdict(**dict(link)) for link in said["links"]
            )
        return cls(**said)


def export_spec(spec: type[Any]) -> dict[str, Any]:
    """Return a NamedTuple or dataclass as plain data: its name, the names of its fields' types, its defaults."""
    hints = dict(getattr(spec, "__annotations__", {}))
    types = {name: _name_of(hint) for name, hint in hints.items()}
    if dataclasses.is_dataclass(spec):
        defaults = {f.name: f.default for f in dataclasses.fields(spec) if f.default is not dataclasses.MISSING}
    else:
        defaults = dict(getattr(spec, "_field_defaults", {}))
    return {"name": spec.__name__, "types": types, "defaults": defaults}


def _name_of(hint: Any) -> str:
    if isinstance(hint, str):
        return hint
    # A NamedTuple in a module with postponed annotations holds references by name.
    return str(getattr(hint, "__forward_arg__", None) or getattr(hint, "__name__", "generic"))


def build_spec(said: Mapping[str, Any]) -> type[Any]:
    """Return the NamedTuple that an exported spec describes.

    Type names are looked up among the built-in types only, never imported: a file must not be able to run code.
    """
    types = {str(name): str(type_name) for name, type_name in said["types"].items()}
    defaults = dict(said.get("defaults") or {})
    # A file does not keep the order of keys, and what has a default has to come last.
    names = sorted(types, key=lambda name: name in defaults)
    made: Any = collections.namedtuple(str(said["name"]), names, defaults=[defaults[n] for n in names if n in defaults])  # type: ignore[misc]
    found = {name: getattr(builtins, type_name, None) for name, type_name in types.items()}
    made.__annotations__ = {name: found[name] if isinstance(found[name], type) else types[name] for name in names}
    built: type[Any] = made
    return built


def convert(definition: Definition, value: Any) -> Any:
    """Return ``value`` with mappings turned into the definition's spec; what already is one stays as it is."""
    spec = definition.spec
    if spec is None:
        return value
    if definition.subspec:
        if isinstance(value, Mapping):
            return {key: spec(**item) if isinstance(item, Mapping) else item for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [spec(**item) if isinstance(item, Mapping) else item for item in value]
        return value
    return spec(**value) if isinstance(value, Mapping) else value


def definition_of(name: str, annotation: Any, default: Any = NO_DEFAULT) -> Definition:
    """Return the definition that stands for a parameter or a return value with this annotation."""
    if dataclasses.is_dataclass(annotation) or hasattr(annotation, "_fields"):
        return Definition(name=name, primitive="map", default=default, spec=annotation)
    return Definition(name=name, primitive=primitive_of(annotation), default=default)
