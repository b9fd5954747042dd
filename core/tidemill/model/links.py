"""The linked form of a data flow: definitions are written once and referred to by name.

Neighbour: `model.dataflow`, whose plain form this turns into the linked one and back.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tidemill.errors import DefinitionMissing, Problem, TidemillError, did_you_mean, pointer

__all__ = ["link", "unlink"]


def link(exported: Mapping[str, Any]) -> dict[str, Any]:
    """Return the linked form of an exported data flow.

    Raises `TidemillError` (DefinitionConflict) when two definitions of one name differ: one name can stand for one
    only.
    """
    linked: dict[str, Any] = copy.deepcopy(dict(exported))
    definitions: dict[str, Any] = linked.pop("definitions", {})

    def name_of(definition: Mapping[str, Any]) -> str:
        name = str(definition["name"])
        known = definitions.setdefault(name, definition)
        if known != definition:
            raise TidemillError(
                f'two different definitions are called "{name}", so a linked file cannot hold both: {known} and '
                f"{definition}; rename one, or export without links",
                reason="DefinitionConflict",
                path=pointer("definitions", name),
            )
        return name

    for operation in linked["operations"].values():
        for side in ("inputs", "outputs"):
            operation[side] = {key: name_of(value) for key, value in operation[side].items()}
        if "conditions" in operation:
            operation["conditions"] = [name_of(value) for value in operation["conditions"]]
    for item in linked.get("seed", ()):
        item["definition"] = name_of(item["definition"])
    for instance, listed in linked.get("forward", {}).get("book", {}).items():
        linked["forward"]["book"][instance] = [name_of(value) for value in listed]
    return {"definitions": definitions, "linked": True, **linked}


def unlink(linked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain form of a linked data flow.

    Raises `DefinitionMissing` with the place of every name that no definition has.
    """
    said: dict[str, Any] = copy.deepcopy({key: value for key, value in linked.items() if key != "linked"})
    definitions: dict[str, Any] = {
        name: {"name": name, **value} for name, value in (said.pop("definitions", None) or {}).items()
    }
    problems: list[Problem] = []

    def resolve(name: Any, *path: object) -> Any:
        if not isinstance(name, str):
            return name
        if name not in definitions:
            where = ".".join(str(part) for part in path[1:])
            message = f"While resolving {where}, missing {name} {did_you_mean(name, definitions)}"
            problems.append(Problem("DefinitionMissing", pointer(*path), message))
            return {"name": name}
        return definitions[name]

    for instance, operation in (said.get("operations") or {}).items():
        for side in ("inputs", "outputs"):
            operation[side] = {
                key: resolve(value, "operations", instance, side, key)
                for key, value in (operation.get(side) or {}).items()
            }
        operation["conditions"] = [
            resolve(value, "operations", instance, "conditions", at)
            for at, value in enumerate(operation.get("conditions") or ())
        ]
    for at, item in enumerate(said.get("seed") or ()):
        item["definition"] = resolve(item.get("definition"), "seed", at, "definition")
    for instance, listed in ((said.get("forward") or {}).get("book") or {}).items():
        said["forward"]["book"][instance] = [resolve(value, "forward", instance, at) for at, value in enumerate(listed)]
    if problems:
        raise DefinitionMissing(problems)
    if definitions:  # what only given inputs are of stands nowhere else
        said["definitions"] = definitions
    return said
