"""Operations that talk to whoever sits at the terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tidemill.model.definition import Definition
from tidemill.model.operation import Operation
from tidemill.runtime.decorator import op
from tidemill.runtime.implementation import OperationImplementation, OperationImplementationContext

__all__ = ["AcceptUserInput", "AcceptUserInputContext", "DataToPrint", "UserInput", "print_output"]

UserInput = Definition(name="UserInput", primitive="str")
DataToPrint = Definition(name="DataToPrint", primitive="generic")


class AcceptUserInputContext(OperationImplementationContext):
    """Asks for one line."""

    @staticmethod
    def receive_input() -> str:
        """Ask, and return what was typed, without the end of the line."""
        sys.stdout.write("Enter the value: ")
        sys.stdout.flush()
        return input()

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the line. The event loop does not wait for it."""
        return {"InputData": await asyncio.to_thread(self.receive_input)}


class AcceptUserInput(OperationImplementation):
    """A line that somebody types."""

    op = Operation(name="AcceptUserInput", inputs={}, outputs={"InputData": UserInput})
    CONTEXT = AcceptUserInputContext


@op(name="print_output", inputs={"data": DataToPrint}, outputs={})
async def print_output(data: Any) -> None:
    """Print a value on a line of its own."""
    sys.stdout.write(f"{data}\n")
