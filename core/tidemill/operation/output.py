"""Output operations: they read the input network of their context and make its result.

They see inputs in canonical order, so a result never depends on timing or on how many workers there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidemill.engine.inputs import Item
from tidemill.errors import RemapFailure, TidemillError, shown
from tidemill.model.definition import Definition
from tidemill.model.operation import Stage
from tidemill.operation.ancestry import ancestors_of
from tidemill.operation.remap import RemapConfig, remap
from tidemill.runtime.config import config, field
from tidemill.runtime.decorator import op
from tidemill.runtime.implementation import OperationImplementationContext

__all__ = [
    "Associate",
    "AssociateDefinition",
    "GetMulti",
    "GetMultiConfig",
    "GetSingle",
    "GetSingleConfig",
    "GroupBy",
    "RemapConfig",
    "RemapFailure",
    "associate_output",
    "associate_spec",
    "get_multi_output",
    "get_multi_spec",
    "get_single_output",
    "get_single_spec",
    "group_by_output",
    "group_by_spec",
    "remap",
]


@config
class GetSingleConfig:
    """Which definitions `GetSingle` does not insist on."""

    nostrict: list[str] = field("definitions that may be missing", default_factory=list)


@config
class GetMultiConfig:
    """Which definitions `GetMulti` does not insist on."""

    nostrict: list[str] = field("definitions that may be missing", default_factory=list)


def _wanted(spec: Any, operation: str) -> list[tuple[str, str]]:
    """Return (key of the result, definition) for each entry of a spec: a name, or {key: name}.

    Those with a key of their own come last, as in DFFML.
    """
    if isinstance(spec, Mapping):
        spec = [spec]
    if isinstance(spec, str) or not isinstance(spec, Iterable):
        raise TidemillError(
            f"{operation} is told what to get by a list of definition names, or of {{key: name}}; it got {shown(spec)}",
            reason="InvalidSpec",
        )
    wanted: list[tuple[str, str]] = []
    for entry in spec:
        if isinstance(entry, Mapping):
            wanted.extend((str(key), str(name)) for key, name in entry.items())
        else:
            wanted.append((str(entry), str(entry)))
    return sorted(wanted, key=lambda pair: pair[0] != pair[1])


class _Getting(OperationImplementationContext):
    """Reads the inputs of definitions."""

    async def got(self, spec: Any) -> list[tuple[str, list[Item]]]:
        """Return (key, inputs) for each entry of ``spec`` that has any.

        Raises `DefinitionNotInContext` for one that has none, unless the configuration does not insist on it.
        """
        view = self.octx.ictx
        found = []
        lenient = getattr(self.config, "nostrict", ())
        for key, name in _wanted(spec, self.parent.op.instance):
            items = await view.inputs(name)
            if items:
                found.append((key, items))
            elif name not in lenient:
                await view.definition(self.ctx, name)  # says which ones there are
        return found


@op(
    name="get_single",
    inputs={"spec": Definition("get_single_spec", "array")},
    outputs={"output": Definition("get_single_output", "map")},
    stage=Stage.OUTPUT,
    config_cls=GetSingleConfig,
)
class GetSingle(_Getting):
    """One value of each definition: the last, in canonical order. That there were more is noted in the run."""

    only_reads = True

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return key → value."""
        result = {}
        for key, items in await self.got(inputs["spec"]):
            result[key] = items[-1].value
            if len(items) > 1:
                self.note(f'{self.parent.op.instance}: "{key}" has {len(items)} values; the last one was taken')
        return result


@op(
    name="get_multi",
    inputs={"spec": Definition("get_multi_spec", "array")},
    outputs={"output": Definition("get_multi_output", "map")},
    stage=Stage.OUTPUT,
    config_cls=GetMultiConfig,
)
class GetMulti(_Getting):
    """All values of each definition, in canonical order."""

    only_reads = True

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return key → list of values."""
        return {key: [item.value for item in items] for key, items in await self.got(inputs["spec"])}


@op(
    name="group_by",
    inputs={"spec": Definition("group_by_spec", "map")},
    outputs={"output": Definition("group_by_output", "map")},
    stage=Stage.OUTPUT,
)
class GroupBy(OperationImplementationContext):
    """Values of one definition, ordered by the values of another among their ancestors.

    ``spec`` is ``{key: {"group": definition, "by": definition, "nostrict": bool}}``. The values of ``group`` come in
    the order of the ``by`` values that they descend from (sorted where those can be compared, else in canonical
    order); those that descend from none are left out.
    """

    only_reads = True

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return key → list of values."""
        return {key: await self._group(key, entry) for key, entry in inputs["spec"].items()}

    async def _group(self, key: str, entry: Any) -> list[Any]:
        if not isinstance(entry, Mapping) or not {"group", "by"} <= set(entry):
            said = f'group_by: "{key}" is told by {{"group": definition, "by": definition}}; it got {shown(entry)}'
            raise TidemillError(said, reason="InvalidSpec")
        view = self.octx.ictx
        members, keys = await view.inputs(entry["group"]), await view.inputs(entry["by"])
        for name, found in ((entry["group"], members), (entry["by"], keys)):
            if not found and not entry.get("nostrict"):
                await view.definition(self.ctx, name)
        above = ancestors_of(await view.inputs(), entry["by"])
        place = {item.number: at for at, item in enumerate(_by_value(keys))}
        grouped: list[tuple[int, int, Any]] = []
        for at, item in enumerate(members):
            grouped.extend((place[other.number], at, item.value) for other in above[item.number])
        return [value for _, _, value in sorted(grouped, key=lambda triple: triple[:2])]


def _by_value(items: Sequence[Item]) -> list[Item]:
    try:
        return sorted(items, key=lambda item: item.value)
    except TypeError:
        return list(items)


@op(
    name="associate",
    inputs={"spec": Definition("associate_spec", "array")},
    outputs={"output": Definition("associate_output", "map")},
    stage=Stage.OUTPUT,
)
class Associate(OperationImplementationContext):
    """Values of one definition under the values of another that they descend from.

    ``spec`` is ``[key definition, value definition]``.
    """

    only_reads = True

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return value definition → {ancestor's value: descendant's value}; later ones win."""
        try:
            key, value = inputs["spec"]
        except ValueError as error:
            said = f"associate is told by [key definition, value definition]; it got {shown(inputs['spec'])}"
            raise TidemillError(said, reason="InvalidSpec") from error
        above = ancestors_of(await self.octx.ictx.inputs(), key)
        found: dict[Any, Any] = {}
        for item in await self.octx.ictx.inputs(value):
            for other in above[item.number]:
                found[_hashable(other.value)] = item.value
        return {value: found}


@op(
    name="associate_definition",
    inputs={"spec": Definition("associate_spec_definition", "map")},
    outputs={"output": Definition("associate_output_definition", "map")},
    stage=Stage.OUTPUT,
)
class AssociateDefinition(OperationImplementationContext):
    """For each pair of definitions, the value of one that descends from the other.

    ``spec`` is ``{key definition: value definition}``.
    """

    only_reads = True

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return key definition → value; the last in canonical order wins."""
        result: dict[str, Any] = {}
        everything = await self.octx.ictx.inputs()
        for key, value in inputs["spec"].items():
            above = ancestors_of(everything, key)
            for item in await self.octx.ictx.inputs(value):
                if above[item.number]:
                    result[key] = item.value
        return result


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return shown(value)
    return value


get_single_spec, get_single_output = GetSingle.op.inputs["spec"], GetSingle.op.outputs["output"]
get_multi_spec, get_multi_output = GetMulti.op.inputs["spec"], GetMulti.op.outputs["output"]
group_by_spec, group_by_output = GroupBy.op.inputs["spec"], GroupBy.op.outputs["output"]
associate_spec, associate_output = Associate.op.inputs["spec"], Associate.op.outputs["output"]
