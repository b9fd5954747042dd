"""The operations and data flows that the examples of the help texts run."""

from __future__ import annotations

from tidemill import DataFlow, Definition, GetMulti, Input, op

NAME = Definition("name", "string")
GREETING = Definition("greeting", "string")


@op(inputs={"name": NAME}, outputs={"greeting": GREETING})
def greet(name: str) -> dict[str, str]:
    """Greet somebody."""
    return {"greeting": f"Hello, {name}!"}


def greeting() -> DataFlow:
    """Return the data flow that greets everybody."""
    return DataFlow(greet, GetMulti, seed=[Input(["greeting"], GetMulti.op.inputs["spec"])])
