"""The kind DataFlowRun: one more run of a DataFlow, over inputs of its own.

Neighbours: `dataflow` is the other kind; `sources` and `status` are parts of both.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tidemill.formats.schema import LimitsPart
from tidemill_operator.kinds.base import KindPart, Seconds, list_map
from tidemill_operator.kinds.pods import LocalObject
from tidemill_operator.kinds.sources import MOST_FILES, MOST_SETS, GivenInputSet, InputsSource
from tidemill_operator.kinds.structural import Rule

__all__ = ["DataFlowRunSpec"]

_CHANGEABLE = (
    "only suspend, cancel and ttlSecondsAfterFinished can be changed, and inputs added; make a new DataFlowRun instead"
)


def _kept(field: str) -> Rule:
    """Return the rule that an optional field stays as it was when the object was made."""
    return Rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"spec.{field} of a run stays as it is; {_CHANGEABLE}",
        field=f".{field}",
    )


def _none_taken_away(field: str, key: str) -> Rule:
    """Return the rule that a list of named things only grows."""
    gone = f"!has(self.{field}) || !self.{field}.exists(new, new.{key} == old.{key})"
    return Rule(
        f"!has(oldSelf.{field}) || oldSelf.{field}.all(old, !({gone}))",
        f"spec.{field} of a run can be added to, and nothing taken away; {_CHANGEABLE}",
        f"'spec.{field} of a run can be added to, and nothing taken away; missing: %s; {_CHANGEABLE}'"
        f".format([oldSelf.{field}.filter(old, {gone}).map(old, old.{key})])",
        field=f".{field}",
    )


def _unchanged(what: str, key: str) -> Rule:
    """Return the rule that a named thing stays as it was when it was added."""
    return Rule(
        "self == oldSelf",
        f"{what} of a run stays as it is; {_CHANGEABLE}",
        f"'{what} %s of a run stays as it is; {_CHANGEABLE}'.format([self.{key}])",
    )


class RunInputSet(GivenInputSet):
    """The inputs of one context of a run."""

    RULES = [_unchanged("the input set", "context")]


class RunInputsSource(InputsSource):
    """A file of inputs of a run."""

    RULES = [*InputsSource.RULES, _unchanged("the source of inputs", "name")]


class DataFlowRunSpec(KindPart):
    """What is run, and over what."""

    RULES = [
        Rule(
            "self.dataFlowRef.name == oldSelf.dataFlowRef.name",
            f"spec.dataFlowRef of a run stays as it is; {_CHANGEABLE}",
            f"'spec.dataFlowRef.name of a run stays %s, it cannot become %s; {_CHANGEABLE}'"
            ".format([oldSelf.dataFlowRef.name, self.dataFlowRef.name])",
            field=".dataFlowRef",
        ),
        _kept("strict"),
        _kept("journal"),
        _kept("limits"),
        _none_taken_away("inputs", "context"),
        _none_taken_away("inputsFrom", "name"),
        Rule(
            "!oldSelf.cancel || self.cancel",
            "a run that was cancelled cannot be taken up again; make a new DataFlowRun",
            field=".cancel",
        ),
    ]

    dataFlowRef: LocalObject = Field(description="The DataFlow that is run.")
    inputs: Annotated[list[RunInputSet], Field(max_length=MOST_SETS), list_map("context")] = Field(
        [],
        description="What it is run over: one context for each entry. Without any: one context with the seeds alone.",
    )
    inputsFrom: Annotated[list[RunInputsSource], Field(max_length=MOST_FILES), list_map("name")] = Field(
        [], description="Inputs that are too many for the object, or come from elsewhere."
    )
    suspend: bool = Field(
        False, description="Whether nothing new is begun: what workers have is ended, then they wait."
    )
    cancel: bool = Field(
        False, description="Whether the run is ended: its open contexts fail with the reason RunCancelled."
    )
    strict: bool = Field(
        True, description="Whether the first failure of an operation fails its context, or is passed over."
    )
    journal: bool = Field(
        False,
        description="Whether contexts keep every change of their state, for `tidemill events` and `tidemill lineage`.",
    )
    limits: LimitsPart | None = Field(
        None, description="What one context may grow to; unless said as the data flow says."
    )
    ttlSecondsAfterFinished: Seconds | None = Field(
        None, description="Seconds after which the object is deleted once it has ended; never unless said."
    )
