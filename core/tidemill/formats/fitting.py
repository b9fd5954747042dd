"""Inputs from files are held against the limits of the data flow before the first context is opened.

A context refuses inputs that it cannot take, but by then others may have run, and it knows inputs by their number, not
by the line of a file. Neighbours: `inputs` reads them, `engine.intake` decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.engine.intake import checked
from tidemill.engine.operations import Channels
from tidemill.errors import InvalidInput
from tidemill.formats.inputs import InputSet
from tidemill.model.input import Input
from tidemill.plan.plan import Plan

__all__ = ["Fitting"]


class Fitting:
    """Refuses an input set that no context of ``plan`` could be opened with; ``common`` are inputs that every context
    is given before its own, with their places."""

    def __init__(self, plan: Plan, common: Sequence[Input] = (), places: Sequence[str] = ()) -> None:
        self._channels = Channels(plan)
        self._common, self._places = common, places
        brought = plan.seed
        # Of equal ones that count once nobody knows here how many there are; the context does.
        self._have = sum(1 for item in brought if item.definition.dedupe is None)
        self._uids = {item.given_uid: item.value for item in brought if item.given_uid}

    def __call__(self, found: InputSet) -> None:
        """Raise `InvalidInput` for the first input that cannot be taken, with its place as the path."""
        inputs = [*self._common, *found.inputs]
        try:
            checked(inputs, channels=self._channels, have=self._have, uids=self._uids, parent_of=lambda uid: None)
        except InvalidInput as error:
            raise InvalidInput(error.message, reason=error.reason, path=self._place(error.path, found)) from error

    def _place(self, path: str, found: InputSet) -> str:
        """Return where in the files the input is that the path ``/inputs/number/…`` leads to."""
        number = path.split("/")[2:3]
        if not number:
            return found.where.removesuffix("#")
        return [*self._places, *found.places][int(number[0])]
