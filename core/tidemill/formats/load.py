"""A file becomes a data flow.

Neighbours: `read` and `document` (what the file says), `model.dataflow` (what is made), `runtime` finds the code of its
operations when it is run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tidemill.errors import InvalidFlow, Problem, TidemillError, pointer
from tidemill.formats.bounds import DEFAULT_LIMITS, ReadLimits
from tidemill.formats.document import FlowDocument, check_shape, locate
from tidemill.formats.inputs import mismatch
from tidemill.formats.read import Document, read_document
from tidemill.model.dataflow import DataFlow

__all__ = ["LoadedFlow", "flow_of", "load", "load_flow"]


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """A data flow, and what its file says besides: ``inputs`` to run it with, a ``name``, and warnings."""

    dataflow: DataFlow
    document: FlowDocument

    @property
    def inputs(self) -> Any:
        """What the file gives to run the data flow with, as plain data; None if it gives nothing."""
        return self.document.inputs

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Scalars of the file that other readers understand differently."""
        return self.document.document.warnings

    def locate(self, problems: tuple[Problem, ...]) -> list[Problem]:
        """Return the problems of the data flow as problems of the file: with its paths and lines."""
        return locate(problems, self.document.document, self.document.prefix)


def load(source: str | os.PathLike[str], *, limits: ReadLimits = DEFAULT_LIMITS) -> DataFlow:
    """Return the data flow in a ``.json``, ``.yaml`` or ``.yml`` file.

    Raises `InvalidDocument` if the file cannot be read, `InvalidFlow` with every finding if it says no data flow.
    """
    return load_flow(source, limits=limits).dataflow


def _refuse_wrong_seeds(dataflow: DataFlow) -> None:
    """Refuse seeds that are not of their definition: a file that is valid must be able to run."""
    problems = []
    for at, item in enumerate(dataflow.seed):
        if wrong := mismatch(item.definition, item.value):
            problems.append(Problem(wrong[0], pointer("seed", at, "value"), wrong[1]))
    if problems:
        raise InvalidFlow(problems)


def load_flow(
    source: str | os.PathLike[str], *, format: str | None = None, limits: ReadLimits = DEFAULT_LIMITS
) -> LoadedFlow:
    """Return the data flow in a file with what else the file says; raises as `load` does. ``format`` is that of the
    file ("json" or "yaml") where its name does not say it."""
    return flow_of(read_document(source, format=format, limits=limits))


def flow_of(document: Document) -> LoadedFlow:
    """Return the data flow that a document says; raises `InvalidFlow`."""
    shaped = check_shape(document)
    try:
        dataflow = DataFlow._fromdict(**shaped.said)
        _refuse_wrong_seeds(dataflow)
        return LoadedFlow(dataflow, shaped)
    except InvalidFlow as error:
        raise type(error)(locate(error.problems, document, shaped.prefix)) from error
    except TidemillError as error:
        problem = Problem(error.reason, error.path, error.message)
        raise InvalidFlow(locate([problem], document, shaped.prefix)) from error
