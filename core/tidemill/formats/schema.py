"""The shape of a data flow file, as pydantic models.

Only the shape: whether the names in it exist is the plan's to say. Importing this module imports pydantic, which
happens when the first file is read. Neighbours: `document`, which turns pydantic's findings into ours, and
`tidemill_operator.kinds`, which makes the schema of the same file for Kubernetes out of these models.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = [
    "API_VERSION",
    "KIND",
    "NAME_LENGTH",
    "ClusterPart",
    "DefinitionPart",
    "FileFlow",
    "FlowPart",
    "ForwardPart",
    "InputPart",
    "InputSetPart",
    "LimitsPart",
    "LinkedDefinitionPart",
    "LinkedFlow",
    "LinkedSpec",
    "Name",
    "OperationPart",
    "Part",
    "PlainFlow",
    "PlainSpec",
    "SeedPart",
    "SpecPart",
    "WrappedFlow",
    "hidden_characters",
]

API_VERSION = "tidemill.alt/v1alpha1"
KIND = "DataFlow"
NAME_LENGTH = 253
"""Characters of a name at most, as for the names of Kubernetes objects."""

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format (text direction), surrogates, separators of lines


def hidden_characters(text: str) -> list[str]:
    """Return the characters of ``text`` that cannot be seen, written as escapes."""
    hidden = dict.fromkeys(char for char in text if unicodedata.category(char) in _HIDDEN)
    return [f"U+{ord(char):04X}" for char in hidden]


def _name(text: str) -> str:
    if not text:
        raise PydanticCustomError("InvalidName", "a name has at least one character")
    if len(text) > NAME_LENGTH:
        raise PydanticCustomError(
            "InvalidName", "the name has {length} characters, the limit is {limit}",
            {"length": len(text), "limit": NAME_LENGTH},
        )  # fmt: skip
    if hidden := hidden_characters(text):
        raise PydanticCustomError(
            "InvalidName", "the name holds characters that cannot be seen: {hidden}", {"hidden": ", ".join(hidden)}
        )
    return text


def _source(source: Any) -> Any:
    steps = source if isinstance(source, list) else [source]
    if not steps or not all(_is_step(step) for step in steps):
        raise PydanticCustomError(
            "InvalidSource",
            'a source is an origin such as "seed", {instance: output}, {origin: [definitions]}, or a list of those, '
            "the input's own origin first, then its parent's",
        )
    return source


def _origin(origin: Any) -> Any:
    parts = [origin] if isinstance(origin, str) else origin
    if not isinstance(parts, list) or len(parts) not in (1, 2) or not all(isinstance(part, str) for part in parts):
        raise PydanticCustomError("InvalidOrigin", 'an origin is a word such as "seed", or [instance, output]')
    return origin


def _is_step(step: Any) -> bool:
    if isinstance(step, str):
        return bool(step)
    return isinstance(step, dict) and len(step) == 1 and all(_is_choice(choice) for choice in step.values())


def _is_choice(choice: Any) -> bool:
    if isinstance(choice, list):
        return bool(choice) and all(isinstance(name, str) for name in choice)
    return isinstance(choice, str)


Name = Annotated[str, AfterValidator(_name)]
Source = Annotated[Any, AfterValidator(_source)]
Count = Annotated[int, Field(ge=1)]


def _spelt(name: str) -> AliasChoices:
    """Return the spellings of a field: that of the exported form, and that of Kubernetes."""
    first, *rest = name.split("_")
    return AliasChoices(name, first + "".join(word.capitalize() for word in rest))


class Part(BaseModel):
    """What all parts of the file have in common: nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(strict=True, extra="forbid")


class SpecPart(Part):
    """The fields of a structured value."""

    name: Name
    types: dict[Name, str]
    defaults: dict[str, Any] = {}


class DefinitionPart(Part):
    """A definition that is written in place."""

    name: Name
    primitive: str
    default: Any = None
    lock: bool = False
    spec: SpecPart | None = None
    subspec: bool = False
    validate_: str | None = Field(None, alias="validate")
    links: list[DefinitionPart] | None = None
    dedupe: Literal["value"] | None = None


class LinkedDefinitionPart(DefinitionPart):
    """A definition under ``definitions``, where the key is its name already."""

    name: Name = ""


Reference = TypeVar("Reference")  # the name of a definition in a linked file, else a DefinitionPart


class OperationPart(Part, Generic[Reference]):
    """An operation, under its instance name."""

    name: Name
    inputs: dict[Name, Reference] = {}
    outputs: dict[Name, Reference] = {}
    stage: Literal["processing", "cleanup", "output"] = "processing"
    conditions: list[Reference] = []
    expand: list[str] = []
    instance_name: Name | None = Field(None, validation_alias=_spelt("instance_name"))
    validator: bool = False
    retry: Annotated[int, Field(ge=0)] = 0
    conditions_mode: Literal["all", "any"] = Field("all", validation_alias=_spelt("conditions_mode"))
    pool: Name = "default"
    executor: Literal["loop", "thread", "process", "subprocess"] | None = None
    concurrency: Count | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    backoff: Annotated[float, Field(ge=0)] = 0.1


class SeedPart(Part, Generic[Reference]):
    """An input that every context starts with."""

    value: Any
    definition: Reference
    origin: Annotated[Any, AfterValidator(_origin)] = "seed"
    uid: str = ""


class FlowPart(Part):
    """Where the inputs of one operation come from."""

    inputs: dict[str, list[Source]] = {}
    conditions: list[Source] = []


class ForwardPart(Part, Generic[Reference]):
    """What is passed on into data flows that operations run."""

    book: dict[str, list[Reference]] = {}


class LimitsPart(Part):
    """What one context may grow to."""

    inputs: Count | None = None
    parameter_sets: Count | None = Field(None, validation_alias=_spelt("parameter_sets"))
    outputs: Count | None = None
    value_bytes: Count | None = Field(None, validation_alias=_spelt("value_bytes"))
    value_depth: Count | None = Field(None, validation_alias=_spelt("value_depth"))
    subflow_depth: Count = Field(16, validation_alias=_spelt("subflow_depth"))
    contexts: Count | None = None


class FileFlow(Part, Generic[Reference]):
    """What a data flow says, in either form."""

    operations: dict[Name, OperationPart[Reference]]
    seed: list[SeedPart[Reference]] = []
    flow: dict[str, FlowPart] | None = None
    configs: dict[str, Any] = {}
    forward: ForwardPart[Reference] | None = None
    limits: LimitsPart | None = None
    inputs: Any = None


class PlainFlow(FileFlow[DefinitionPart]):
    """A data flow in which every definition is written in place."""

    linked: bool = False
    definitions: dict[Name, DefinitionPart] = {}


class LinkedFlow(FileFlow[Name]):
    """A data flow that names its definitions."""

    linked: Literal[True]
    definitions: dict[Name, LinkedDefinitionPart] = {}


class InputPart(Part):
    """An input in an object for Kubernetes; its value may be somewhere else in the cluster."""

    definition: Name
    value: Any = None
    valueFrom: Any = None
    origin: Name = "seed"
    uid: str = ""


Item = TypeVar("Item")
Set = TypeVar("Set")


class InputSetPart(Part, Generic[Item]):
    """The inputs of one context in an object for Kubernetes: one by one, or by definition."""

    context: str = ""
    inputs: list[Item] = []
    values: dict[Name, Any] = {}


class ClusterPart(Part, Generic[Set]):
    """What an object says to the operator alone; whoever runs its data flow elsewhere passes it over."""

    inputs: list[Set] = []
    inputsFrom: Any = None
    dataFlowFrom: Any = None
    pools: Any = None
    replicas: Any = None
    optimize: Any = None
    retention: Any = None
    historyLimits: Any = None
    strict: Any = None
    journal: Any = None
    suspend: Any = None
    ttlSecondsAfterFinished: Any = None


class PlainSpec(ClusterPart[InputSetPart[InputPart]], PlainFlow):
    """The ``spec`` of an object whose data flow has its definitions in place."""


class LinkedSpec(ClusterPart[InputSetPart[InputPart]], LinkedFlow):
    """The ``spec`` of an object whose data flow names its definitions."""


class WrappedFlow(Part):
    """The form in which a data flow is given to Kubernetes; ``spec`` is checked by itself."""

    apiVersion: Literal["tidemill.alt/v1alpha1"]
    kind: Literal["DataFlow"]
    metadata: dict[str, Any] = {}
    spec: dict[str, Any]
    status: Any = None
