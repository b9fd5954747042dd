"""What all parts of the kinds have in common, and the types of their fields.

Every text, list and map has a bound, so that an object has one. Neighbours: all other modules of the kinds.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from tidemill.formats.schema import Part
from tidemill_operator.kinds.structural import Rule, Schema

__all__ = [
    "DNS_LABEL",
    "Count",
    "KeyName",
    "KindPart",
    "Label",
    "ObjectName",
    "Percent",
    "Quantity",
    "Seconds",
    "Text",
    "Time",
    "list_map",
]

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
"""The name of something within an object."""

ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]
"""The name of another object in the same namespace."""

KeyName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key in a ConfigMap or Secret."""

Text = Annotated[str, Field(max_length=1024)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0, le=315_360_000)]
"""Whole seconds, up to ten years."""

Percent = Annotated[int, Field(ge=1, le=100)]
Time = Annotated[str, Field(max_length=64), Schema({"format": "date-time"})]
Quantity = Annotated[
    Any,
    Schema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$",
        }
    ),
]
"""An amount of something, as Kubernetes writes it: 500m, 2Gi."""


class KindPart(Part):
    """A part of a kind. ``RULES`` are what the API server checks beyond the types of its fields."""

    RULES: ClassVar[list[Rule]] = []
    SCHEMA: ClassVar[dict[str, Any]] = {}


def list_map(*keys: str) -> Schema:
    """Return what makes a list one whose items are told apart, and merged by server-side apply, by ``keys``."""
    return Schema({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})
