"""A pydantic model becomes a structural OpenAPI v3 schema, as Kubernetes wants it in a CustomResourceDefinition.

Only what a structural schema can say is translated; everything else is an error when the schema is made, and nothing
is guessed. Where a model takes any JSON, or holds itself, the schema preserves what it does not know. Models of the
core carry neither descriptions nor bounds: `Said` adds them, by the names of model and field. Neighbour: `crd`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

__all__ = ["ANY", "Overlay", "Rule", "Said", "Schema", "schema_of", "spellings"]

ANY: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
"""The schema of a value that may be any JSON."""

_PRIMITIVES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    Any: ANY,
}
_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """Metadata of a type: keys that its schema has besides what follows from the type."""

    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in CEL that the API server checks.

    ``says`` is an expression that gives the message; ``message`` is the text where the expression cannot be evaluated,
    and what is read in the schema. ``field`` is the path, below the rule's place, of what is complained about.
    """

    rule: str
    message: str
    says: str = ""
    field: str = ""
    reason: str = ""

    def export(self) -> dict[str, str]:
        """Return the rule as it stands in a schema."""
        said = {"rule": self.rule, "message": self.message, "messageExpression": self.says, "fieldPath": self.field}
        return {key: value for key, value in {**said, "reason": self.reason}.items() if value}


@dataclass(frozen=True, slots=True)
class Said:
    """What a field of a model says for people, and its bounds: ``keys`` of its schema, ``inner`` of that of its items
    or values."""

    text: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    inner: Mapping[str, Any] = field(default_factory=dict)


Overlay = Mapping[tuple[str, str], Said]
"""By the name of a model and the name of a field: what is said of it."""


def schema_of(model: type[BaseModel], overlay: Overlay | None = None, *, defaults: bool = True) -> dict[str, Any]:
    """Return the structural schema of ``model``; ``defaults`` says whether the API server is to fill them in.

    Raises `TypeError` with the place if a field has a type that a structural schema cannot say.
    """
    return _Maker(overlay or {}, defaults=defaults).model(model, ())


def spellings(name: str, info: FieldInfo) -> list[str]:
    """Return the names under which a field is given in a document, the preferred one last."""
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [str(alias or name)]


class _Maker:
    def __init__(self, overlay: Overlay, *, defaults: bool) -> None:
        self.overlay, self.defaults = overlay, defaults

    def model(self, model: type[BaseModel], above: tuple[type[BaseModel], ...]) -> dict[str, Any]:
        if model in above:  # it holds itself, which no structural schema can say
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        properties: dict[str, Any] = {}
        required: list[str] = []
        rules: list[Rule] = list(getattr(model, "RULES", []))
        for name, info in model.model_fields.items():
            try:
                made = self._field(model, name, info, (*above, model))
            except TypeError as error:
                raise TypeError(f"{model.__name__}.{name}: {error}") from error
            names = spellings(name, info)
            properties.update(dict.fromkeys(names, made))
            if info.is_required():
                required.extend(names)
            if len(names) > 1:
                rules.append(_one_spelling(*names))
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if rules:
            schema["x-kubernetes-validations"] = [rule.export() for rule in rules]
        return schema | dict(getattr(model, "SCHEMA", {}))

    def _field(
        self, model: type[BaseModel], name: str, info: FieldInfo, above: tuple[type[BaseModel], ...]
    ) -> dict[str, Any]:
        schema = self._annotated(info.annotation, tuple(info.metadata), above)
        said = self._said(model, name)
        text = info.description or (said.text if said else "")
        if text:
            schema = {"description": text} | schema
        if said is not None:
            schema |= said.keys
            for part in ("items", "additionalProperties"):
                if said.inner and part in schema:
                    schema[part] = {**schema[part], **said.inner}
        elif self.defaults and not info.is_required() and info.default not in (None, {}, []):
            schema["default"] = {} if isinstance(info.default, BaseModel) else info.default  # {} takes its own defaults
        return schema

    def _annotated(self, kind: Any, metadata: tuple[Any, ...], above: tuple[type[BaseModel], ...]) -> dict[str, Any]:
        told = kind is Any and any(isinstance(part, Schema) for part in metadata)
        schema = {} if told else self._type(kind, above)
        return schema | _constraints(metadata, schema)

    def _said(self, model: type[BaseModel], name: str) -> Said | None:
        for each in model.__mro__:
            generic = getattr(each, "__pydantic_generic_metadata__", {}).get("origin")
            if found := self.overlay.get(((generic or each).__name__, name)):
                return found
        return None

    def _type(self, kind: Any, above: tuple[type[BaseModel], ...]) -> dict[str, Any]:
        if kind in _PRIMITIVES:
            return dict(_PRIMITIVES[kind])
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.model(kind, above)
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self._annotated(parts[0], parts[1:], above)
        if origin is Literal:
            return {"type": _type_name(parts), "enum": list(parts)}
        if origin is list:
            return {"type": "array", "items": self._type(parts[0], above)}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._type(parts[1], above)}
        if origin in (Union, types.UnionType):
            chosen = [part for part in parts if part is not type(None)]
            if len(chosen) == 1:
                return self._type(chosen[0], above)
        raise TypeError(f"a structural schema cannot say {kind!r}; say it with Annotated[Any, Schema(…)]")


def _one_spelling(one: str, other: str) -> Rule:
    return Rule(
        f"!has(self.{one}) || !has(self.{other})", f"{one} and {other} are two spellings of one field; keep one"
    )


def _type_name(values: tuple[Any, ...]) -> str:
    (kind,) = {type(value) for value in values}
    return str(_PRIMITIVES[kind]["type"])


def _constraints(metadata: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the metadata of a type or field adds to its schema; validators add nothing."""
    made: dict[str, Any] = {}
    for each in _flat(metadata):
        if isinstance(each, Schema):
            made |= each.keys
        elif isinstance(each, annotated_types.Ge):
            made["minimum"] = each.ge
        elif isinstance(each, annotated_types.Gt):
            made |= {"minimum": each.gt, "exclusiveMinimum": True}
        elif isinstance(each, annotated_types.Le):
            made["maximum"] = each.le
        elif isinstance(each, annotated_types.MinLen):
            made[f"min{_LENGTHS[schema['type']]}"] = each.min_length
        elif isinstance(each, annotated_types.MaxLen):
            made[f"max{_LENGTHS[schema['type']]}"] = each.max_length
        elif pattern := getattr(each, "pattern", None):
            made["pattern"] = pattern
    return made


def _flat(metadata: Any) -> Iterator[Any]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from each.metadata
        else:
            yield each
