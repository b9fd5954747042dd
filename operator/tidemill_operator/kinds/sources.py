"""Where inputs and data flows come from: the object itself, a ConfigMap, or an object store.

Neighbours: `dataflow` and `run`, which both are given inputs; `tidemill.formats.schema`, whose input sets these are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tidemill.formats.schema import InputPart, InputSetPart
from tidemill_operator.kinds.base import KindPart, Label, list_map
from tidemill_operator.kinds.pods import ConfigMapKey, LocalObject
from tidemill_operator.kinds.structural import Rule, Schema

__all__ = [
    "MOST_FILES",
    "MOST_SETS",
    "DataFlowSource",
    "GivenInput",
    "GivenInputSet",
    "InputSets",
    "InputsSource",
    "InputsSources",
    "ValueSource",
]

MOST_SETS = 128
"""Input sets in an object; more come out of a file."""

MOST_FILES = 16
"""Files of inputs that an object names."""


class ValueSource(KindPart):
    """Where the value of an input comes from."""

    configMapKeyRef: ConfigMapKey = Field(
        description="A key of a ConfigMap. Text for a definition of primitive string, else JSON."
    )


class GivenInput(KindPart, InputPart):
    """One input: its value, or where that comes from."""

    SCHEMA = {"oneOf": [{"required": ["value"]}, {"required": ["valueFrom"]}]}

    valueFrom: ValueSource | None = Field(None, description="Where the value comes from, in place of value.")


class GivenInputSet(KindPart, InputSetPart[GivenInput]):
    """The inputs of one context."""

    inputs: Annotated[list[GivenInput], Schema({"maxItems": 256, "x-kubernetes-list-type": "atomic"})] = []


class InputsSource(KindPart):
    """Inputs that are too many for the object: a file with one context on each line or in each entry."""

    RULES = [
        Rule(
            "has(self.configMapKeyRef) != has(self.url)",
            "inputs come from a ConfigMap or a url; say one of configMapKeyRef and url",
            "'inputsFrom %s: say one of configMapKeyRef and url'.format([self.name])",
        ),
        Rule(
            "!has(self.secretRef) || has(self.url)",
            "secretRef is for a url",
            "'inputsFrom %s has a secretRef and no url; a ConfigMap needs none'.format([self.name])",
            field=".secretRef",
        ),
    ]

    name: Label = Field(description="What this source is called; names of its contexts that have none begin with it.")
    configMapKeyRef: ConfigMapKey | None = Field(None, description="A key of a ConfigMap that holds the file.")
    url: Annotated[str, Field(max_length=2048, pattern=r"^(s3|gs|azblob|https|http|file)://[^\s]+$")] | None = Field(
        None,
        description="Where the file is: s3://bucket/key, gs://…, azblob://…, https://…. Settings of the operator say "
        "which of these it fetches, and from which hosts; http and file only where they do.",
    )
    secretRef: LocalObject | None = Field(
        None,
        description="A Secret whose keys are what is asked for there: access_key_id, secret_access_key, session_token, "
        "region, endpoint (s3); credential, endpoint (gs); account_name, account_key, sas_token, endpoint (azblob); "
        "token, or username and password (https).",
    )
    format: Literal["jsonl", "yaml", "json", "csv"] = Field("jsonl", description="How the file is written.")


class DataFlowSource(KindPart):
    """Where the data flow comes from when it is not in the object."""

    configMapKeyRef: ConfigMapKey = Field(
        description="A key of a ConfigMap that holds the data flow as JSON or YAML, without apiVersion and kind."
    )


InputSets = Annotated[list[GivenInputSet], Field(max_length=MOST_SETS), list_map("context")]
InputsSources = Annotated[list[InputsSource], Field(max_length=MOST_FILES), list_map("name")]
