"""What an object says becomes a data flow, a plan and input sets, or findings about the object.

The core reads and checks them as it does those of files; what is added here are the things of a cluster: ConfigMaps,
pools by data flow, and contexts that are called by their object. Neighbours: `objects` (the models).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any

from tidemill.errors import (
    DuplicateContext,
    InvalidDocument,
    InvalidFlow,
    InvalidInput,
    Problem,
    TidemillError,
    pointer,
)
from tidemill.formats.bounds import DEFAULT_LIMITS
from tidemill.formats.fitting import Fitting
from tidemill.formats.inputs import InputFile, InputSet, document_sets
from tidemill.formats.json_text import parse_json
from tidemill.formats.load import LoadedFlow, flow_of
from tidemill.formats.read import Document, parse_document
from tidemill.formats.schema import LimitsPart
from tidemill.model.dataflow import DataFlow
from tidemill.model.limits import Limits
from tidemill.model.primitives import CANONICAL
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan
from tidemill_operator.kinds.objects import DataFlowObject, DataFlowRunObject
from tidemill_operator.kinds.placing import Placing
from tidemill_operator.kinds.pods import ConfigMapKey
from tidemill_operator.kinds.sources import InputsSource

__all__ = [
    "MOST_PROBLEMS",
    "Accepted",
    "GivenSet",
    "Texts",
    "accept",
    "config_map_keys",
    "file_sets",
    "given_of",
    "input_sets",
]

MOST_PROBLEMS = 20
"""Findings about inputs after which no more are looked for."""

Texts = Mapping[tuple[str, str], str]
"""What stands in ConfigMaps of the object's namespace, by the name of the ConfigMap and the key."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A data flow that can be run. ``pools`` are those that its operations name, as the object calls them; in the plan
    they are called ``<data flow>.<pool>``."""

    dataflow: DataFlow
    plan: Plan
    pools: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class GivenSet:
    """The inputs of one context. ``name`` is that of the context in the store, ``digest`` says what it has in it."""

    name: str
    inputs: InputSet
    digest: str


def config_map_keys(found: DataFlowObject | DataFlowRunObject) -> list[ConfigMapKey]:
    """Return every key of a ConfigMap whose text `accept` and `input_sets` ask for, in the order of the object."""
    spec = found.spec
    refs = [item.valueFrom.configMapKeyRef for each in spec.inputs for item in each.inputs if item.valueFrom]
    refs += [source.configMapKeyRef for source in spec.inputsFrom if source.configMapKeyRef is not None]
    if isinstance(found, DataFlowObject) and found.spec.dataFlowFrom is not None:
        refs.append(found.spec.dataFlowFrom.configMapKeyRef)
    return refs


def accept(found: DataFlowObject, texts: Texts | None = None, *, limits: LimitsPart | None = None) -> Accepted:
    """Return the data flow of an object, compiled; ``limits`` are those of a run, which go before its own.

    Raises `InvalidFlow` with every finding; the paths are JSON pointers into the object, or the file in a ConfigMap.
    """
    loaded = _loaded(found, texts or {})
    dataflow = loaded.dataflow
    for said in (found.spec.limits if found.spec.dataFlowFrom else None, limits):
        dataflow.limits = _limited(dataflow.limits, said)
    placing = Placing(found.metadata.name, found.spec.pools)
    try:
        placing.place(dataflow)
        plan = compile_plan(dataflow)
    except InvalidFlow as error:
        raise type(error)(loaded.locate(error.problems)) from error
    warnings = loaded.locate((*plan.warnings, *placing.warnings))
    return Accepted(dataflow, plan, tuple(sorted(placing.used)), (*loaded.warnings, *warnings))


def _limited(limits: Limits, said: LimitsPart | None) -> Limits:
    if said is None:
        return limits
    return replace(limits, **{name: getattr(said, name) for name in said.model_fields_set})


def _loaded(found: DataFlowObject, texts: Texts) -> LoadedFlow:
    source = found.spec.dataFlowFrom
    if source is None:
        said = {key: found.said[key] for key in ("apiVersion", "kind", "metadata", "spec")}
        return flow_of(Document(said, "", "json", "{}"))
    key = source.configMapKeyRef
    path = "/spec/dataFlowFrom/configMapKeyRef"
    try:
        text = _text(texts, key, path)
        loaded = flow_of(parse_document(text, source=f"{key.key} of ConfigMap {key.name}"))
    except InvalidFlow:
        raise
    except TidemillError as error:
        raise InvalidFlow([Problem(error.reason, path, error.message)]) from error
    if loaded.inputs is not None:
        message = "the data flow in the ConfigMap has inputs; put them under spec.inputs, or a file of spec.inputsFrom"
        raise InvalidFlow([Problem("UnexpectedInputs", path, message)])
    return loaded


def _text(texts: Texts, key: ConfigMapKey, path: str) -> str:
    text = texts.get((key.name, key.key))
    if text is None:
        said = (
            f'there is no key "{key.key}" in a ConfigMap "{key.name}" of this namespace; create it, or correct the name'
        )
        raise InvalidInput(said, reason="ConfigMapKeyNotFound", path=path)
    return text


def input_sets(
    found: DataFlowObject | DataFlowRunObject, accepted: Accepted, texts: Texts | None = None
) -> list[GivenSet]:
    """Return the input sets of an object: those in it, and those of files in ConfigMaps; `file_sets` gives the others.

    A run that says nothing of inputs has one context without any. Raises `InvalidFlow` with the findings about inputs.
    """
    maker = _Sets(found, accepted, texts or {})
    spec = found.spec
    for at, each in enumerate(found.said["spec"].get("inputs") or ()):
        maker.add(pointer("spec", "inputs", at), partial(maker.inline, each, at))
    for at, source in enumerate(spec.inputsFrom):
        if source.configMapKeyRef is not None:
            maker.add(pointer("spec", "inputsFrom", at), partial(maker.file, source, at))
    if isinstance(found, DataFlowRunObject) and not spec.inputs and not spec.inputsFrom:
        maker.add("/spec", lambda: iter([InputSet(found.metadata.name, [], "/spec")]))
    if maker.problems:
        raise InvalidFlow(maker.problems)
    return maker.made


def file_sets(
    found: DataFlowObject | DataFlowRunObject, accepted: Accepted, source: InputsSource, file: IO[bytes]
) -> Iterator[GivenSet]:
    """Yield the input sets of a file that ``source`` names, one in memory at a time where it has one on each line.

    Raises `InvalidInput` or `InvalidDocument` at the first that cannot be taken, with its line.
    """
    fits = Fitting(accepted.plan)
    names: set[str] = set()
    for made in _file_sets(found, accepted, source, file):
        if made.name in names:
            raise DuplicateContext(f'the context "{made.name}" is there twice; give each its name', path=made.where)
        names.add(made.name)
        fits(made)
        yield given_of(made)


def _file_sets(
    found: DataFlowObject | DataFlowRunObject, accepted: Accepted, source: InputsSource, file: IO[bytes]
) -> Iterator[InputSet]:
    definitions, prefix = accepted.dataflow.definitions, f"{found.metadata.name}."
    if source.format in ("jsonl", "csv"):
        rows = InputFile(source.name, definitions).rows(file, source.name, f".{source.format}")
        made: Iterator[InputSet] = (each for each, _ in rows)
    else:
        document = parse_document(file.read(DEFAULT_LIMITS.size + 1), source=source.name, format=source.format)
        made = document_sets(document.value, definitions, prefix=source.name)
    for each in made:
        yield replace(each, name=prefix + each.name)


def given_of(made: InputSet) -> GivenSet:
    """Return an input set with the digest of what it has in it."""
    said = [[item.definition.name, item.origin, item.given_uid, item.value] for item in made.inputs]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), default=repr)
    return GivenSet(made.name, made, hashlib.sha256(text.encode()).hexdigest())


class _Sets:
    """The input sets of an object, as they are found, and what is wrong with others."""

    def __init__(self, found: DataFlowObject | DataFlowRunObject, accepted: Accepted, texts: Texts) -> None:
        self.found, self.accepted, self.texts = found, accepted, texts
        self.fits = Fitting(accepted.plan)
        self.made: list[GivenSet] = []
        self.problems: list[Problem] = []
        self.names: dict[str, str] = {}

    def add(self, path: str, make: Callable[[], Iterator[InputSet]]) -> None:
        """Take what ``make`` yields until it raises."""
        if len(self.problems) >= MOST_PROBLEMS:
            return
        try:
            for each in make():
                where = each.where or path
                if each.name in self.names:
                    said = f'the context "{each.name}" is there twice: {self.names[each.name]} and {where}'
                    raise DuplicateContext(f"{said}; give each its name", path=where)
                self.names[each.name] = where
                self.fits(each)
                self.made.append(given_of(each))
        except TidemillError as error:
            inside = error.path.startswith("/spec")
            said = error.message if inside or not error.path else f"{error.message} ({error.path})"
            self.problems.append(Problem(error.reason, error.path if inside else path, said))

    def inline(self, said: Mapping[str, Any], at: int) -> Iterator[InputSet]:
        """Yield the one input set that the object says at this place."""
        own, path = self.found.metadata.name, pointer("spec", "inputs", at)
        name = f"{own}.{said['context']}" if said.get("context") else own
        items = [self._item(item, f"{path}/inputs/{number}") for number, item in enumerate(said.get("inputs") or ())]
        record = {"context": name, "inputs": items, "values": said.get("values") or {}}
        try:
            for each in document_sets([record], self.accepted.dataflow.definitions):
                places = [path + place.removeprefix("/0") for place in each.places]
                yield InputSet(each.name, each.inputs, path, places)
        except InvalidInput as error:
            raise InvalidInput(error.message, reason=error.reason, path=path + error.path.removeprefix("/0")) from error

    def _item(self, item: Mapping[str, Any], path: str) -> dict[str, Any]:
        kept = {key: value for key, value in item.items() if key != "valueFrom"}
        if item.get("valueFrom") is None:
            return kept
        path += "/valueFrom/configMapKeyRef"
        text = _text(self.texts, ConfigMapKey.model_validate(item["valueFrom"]["configMapKeyRef"]), path)
        definition = self.accepted.dataflow.definitions.get(item["definition"])
        if definition is not None and CANONICAL.get(definition.primitive.lower()) == "str":
            return {**kept, "value": text}
        try:
            return {**kept, "value": parse_json(text, source=path)}
        except InvalidDocument as error:
            raise InvalidInput(error.message, reason=error.reason, path=path) from error

    def file(self, source: InputsSource, at: int) -> Iterator[InputSet]:
        """Yield the input sets of a file in a ConfigMap."""
        assert source.configMapKeyRef is not None
        path = pointer("spec", "inputsFrom", at, "configMapKeyRef")
        text = _text(self.texts, source.configMapKeyRef, path)
        yield from _file_sets(self.found, self.accepted, source, io.BytesIO(text.encode()))
