"""An input is a value with its definition, its origin and its parents.

This is the form that people write. Inside a context every input gets a number, and the engine keeps it as an
`engine.inputs.Item`, which has the same attributes. Neighbours: `model.definition`, `model.parameters`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from tidemill.errors import InputValidationError, InvalidInput, TidemillError, pointer, shown
from tidemill.model.definition import Definition, convert
from tidemill.model.primitives import primitive_of

__all__ = ["SEED", "Ancestors", "Input", "Origin"]

Ancestor = TypeVar("Ancestor")

SEED = "seed"
"""The origin of inputs that are given and not made."""

Origin = str | tuple[str, str]
"""Where an input comes from: a word, or (operation instance, output)."""


class Ancestors(list[Ancestor]):
    """The ancestors of an input. DFFML's versions differ in whether they are a list or an async iterator: both work."""

    async def __aiter__(self) -> AsyncIterator[Ancestor]:
        """Yield them one by one."""
        for item in self:
            yield item


class Input:
    """A value, what it is, and where it comes from.

    ``origin`` is ``"seed"``, any other word, or (operation instance, output name); ``parents`` are the inputs it was
    made from. ``uid`` makes adding it again harmless: one uid is one input of a context. Values are never compared,
    two inputs with equal values are two inputs. A callable ``validate`` of the definition is applied here, once.

    Raises `InputValidationError` when that callable refuses the value, `InvalidInput` (TypeMismatch) when the value
    does not fit the spec of the definition.
    """

    __slots__ = ("_uid", "definition", "links", "origin", "parents", "validated", "value")

    def __init__(
        self,
        value: Any,
        definition: Definition,
        parents: Sequence[Input] | None = None,
        origin: Origin | Sequence[str] = SEED,
        validated: bool = True,
        *,
        uid: str = "",
        links: Sequence[Definition] | None = None,
    ) -> None:
        self.definition = _as_definition(definition)
        check = self.definition.validate
        self.value = self._converted(value if check is None or isinstance(check, str) else self._checked(value))
        self.parents = list(parents or ())
        for parent in self.parents:  # a context knows a parent by its identity, so it has one from now on
            assert parent.uid
        self.origin: Origin = origin if isinstance(origin, str) else _as_origin(origin)
        self.validated = validated and not isinstance(check, str)
        self.links = tuple(links or ())
        self._uid = uid

    def _checked(self, value: Any) -> Any:
        check = self.definition.validate
        assert callable(check)
        try:
            return check(value)
        except Exception as error:
            raise InputValidationError(
                f'{shown(value)} is not a valid "{self.definition.name}": {type(error).__name__}: {error}',
                path=pointer("inputs", self.definition.name),
            ) from error

    def _converted(self, value: Any) -> Any:
        try:
            return convert(self.definition, value)
        except TypeError as error:
            raise InvalidInput(
                f'"{self.definition.name}": {shown(value)} does not fit the spec '
                f"{getattr(self.definition.spec, '__name__', 'of the definition')}: {error}",
                reason="TypeMismatch",
                path=pointer("inputs", self.definition.name),
            ) from error

    @property
    def uid(self) -> str:
        """The identity of this input; made on first use unless it was given."""
        if not self._uid:
            self._uid = str(uuid.uuid4())
        return self._uid

    @property
    def given_uid(self) -> str:
        """The identity, if it was given or has been asked for, else the empty string."""
        return self._uid

    def get_parents(self) -> Ancestors[Input]:
        """Return every ancestor once, nearest generation first; to be iterated by ``for`` and by ``async for``."""
        found: Ancestors[Input] = Ancestors()
        seen: set[int] = set()
        generation: list[Input] = [*self.parents]
        while generation:
            following: list[Input] = []
            for parent in generation:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    found.append(parent)
                    following.extend(parent.parents)
            generation = following
        return found

    def export(self) -> dict[str, Any]:
        """Return the input as plain data: value, definition and, unless it is a seed, origin."""
        exported: dict[str, Any] = {"value": _plain(self.value), "definition": self.definition.export()}
        if self.origin != SEED:
            exported["origin"] = self.origin if isinstance(self.origin, str) else list(self.origin)
        if self._uid:
            exported["uid"] = self._uid
        return exported

    @classmethod
    def _fromdict(cls, **said: Any) -> Input:
        said = dict(said)
        definition = said.pop("definition")
        if not isinstance(definition, Definition):
            definition = Definition._fromdict(**definition)
        return cls(definition=definition, **said)

    def __repr__(self) -> str:
        return f"Input(value={self.value}, definition={self.definition.name})"


def _as_origin(origin: Any) -> Origin:
    if isinstance(origin, (tuple, list)) and len(origin) == 2 and all(isinstance(part, str) for part in origin):
        return origin[0], origin[1]
    said = f'an origin is a word such as "seed", or (operation, output), not {shown(origin)}'
    raise InvalidInput(said, reason="UnknownOrigin", path="/origin")


def _as_definition(definition: Any) -> Definition:
    if isinstance(definition, Definition):
        return definition
    if hasattr(definition, "__supertype__"):  # typing.NewType: its name is the definition's
        return Definition(name=definition.__name__, primitive=primitive_of(definition.__supertype__))
    raise TidemillError(
        f"an input is given a Definition, not {shown(definition)}", reason="UnknownDefinition", path="/definition"
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return dict(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return value
