"""Stages: what comes after quiet, and what the result of a context is.

A context is quiet when nothing of it is ready, leased, waiting, delayed or still to be expanded: when one counter is
zero. Neighbours: `engine.defaults` (what may still start in a quiet stage), `engine.order` (of the results).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.model.operation import Stage
from tidemill.plan.plan import Plan

__all__ = ["after", "result_of"]


def after(stage: Stage, failed: bool) -> Stage | None:
    """Return the stage after a quiet one, or None when the context has ended. A failed context cleans up, but has
    no output stage."""
    if stage is Stage.PROCESSING:
        return Stage.CLEANUP
    return Stage.OUTPUT if stage is Stage.CLEANUP and not failed else None


def result_of(plan: Plan, returned: Sequence[tuple[int, Any]]) -> dict[str, Any]:
    """Return the result of a context from what its output operations returned: (operation number, mapping), in
    canonical order.

    Of several mappings of one operation later keys win. With one output operation in the plan its mapping is the
    result, with several each stands under its instance name, with none the result is empty.
    """
    merged: dict[int, dict[str, Any]] = {}
    for index, mapping in returned:
        into = merged.setdefault(index, {})
        if isinstance(mapping, Mapping):
            into.update(mapping)
    operations = plan.of_stage(Stage.OUTPUT)
    if len(operations) == 1:
        return merged.get(operations[0].index, {})
    return {plan.operations[index].instance: mapping for index, mapping in sorted(merged.items())}
