"""Runs data flows that are described as plain data, through DFFML's API: with DFFML itself, or with Tidemill as it.

As a program, ``python flow_driver.py dffml``, it reads one description a line and prints one answer a line; it is then
run by the old Python that DFFML needs. Neighbour: `tests.compat.random_flows` makes descriptions.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import sys
from typing import Any

__all__ = ["answer"]


def digest_of(name: str, inputs: dict[str, Any]) -> str:
    """Return what an operation makes of its inputs: short, and the same everywhere."""
    said = json.dumps([name, sorted(inputs.items())])
    return hashlib.blake2b(said.encode(), digest_size=5).hexdigest()


def outputs_of(said: dict[str, Any], inputs: dict[str, Any]) -> Any:
    """Return what an operation gives for its inputs: nothing at times, lists where outputs are expanded."""
    digest = digest_of(said["name"], inputs)
    number = int(digest, 16)
    if said["nothing"] and number % 4 == 0:
        return None
    made: dict[str, Any] = {}
    for at, name in enumerate(said["outputs"]):
        value = f"{digest}.{at}"
        made[name] = [f"{value}.{one}" for one in range(number % 3)] if name in said["expand"] else value
    return made


def operation(api: Any, definitions: dict[str, Any], said: dict[str, Any], calls: list[Any]) -> Any:
    """Return one decorated operation that keeps a record of its calls."""
    failed: set[str] = set()

    def ran(inputs: dict[str, Any]) -> Any:
        digest = digest_of(said["name"], inputs)
        if said["fails"] and digest not in failed:
            failed.add(digest)
            raise ValueError("the first try fails")
        made = outputs_of(said, inputs)
        calls.append([said["name"], sorted(inputs.items()), made])
        return made

    async def coroutine(**inputs: Any) -> Any:
        for _ in range(said.get("waits", 0)):
            await asyncio.sleep(0)
        return ran(inputs)

    def function(**inputs: Any) -> Any:
        return ran(inputs)

    async def generator(**inputs: Any) -> Any:
        for at in range(2):
            made = outputs_of(said, {**inputs, "at": at})
            calls.append([said["name"], sorted(inputs.items()), made])
            if made is not None:
                yield made

    decorated: Any = {"coroutine": coroutine, "function": function, "generator": generator}[said["kind"]]
    return api.op(
        name=said["name"],
        inputs={name: definitions[definition] for name, definition in said["inputs"].items()},
        outputs={name: definitions[definition] for name, definition in said["outputs"].items()},
        conditions=[definitions[name] for name in said["conditions"]],
        expand=list(said["expand"]),
        stage=api.Stage(said["stage"]),
        retry=2 if said["fails"] else 0,
        validator=said.get("validator", False),
    )(decorated)


async def run(api: Any, said: dict[str, Any]) -> dict[str, Any]:
    """Run a data flow over its contexts; return the calls, and the result of each context."""
    calls: list[Any] = []
    definitions = {
        name: api.Definition(
            name=name,
            primitive="boolean" if name in said["gates"] else "string",
            lock=name in said.get("locked", ()),
            validate=said.get("validated", {}).get(name),
        )
        for name in said["definitions"]
    }
    operations = [operation(api, definitions, one, calls) for one in said["operations"]]
    results = {"get_multi": api.GetMulti, "get_single": api.GetSingle, "associate": api.Associate}
    asked = [results[name] for name in said["asked"]]
    dataflow = api.DataFlow.auto(*operations, *asked)
    for name, spec in said["asked"].items():
        dataflow.seed.append(api.Input(value=spec, definition=results[name].op.inputs["spec"]))
    for value, definition in said["seed"]:
        dataflow.seed.append(api.Input(value=value, definition=definitions[definition]))
    sets = {
        context: [api.Input(value=value, definition=definitions[definition]) for value, definition in inputs]
        for context, inputs in said["contexts"].items()
    }
    found = {}
    async with api.MemoryOrchestrator.withconfig({}) as orchestrator:
        async with orchestrator(dataflow) as octx:
            async for ctx, result in octx.run(sets):
                found[(await ctx.handle()).as_string()] = result
    return {"calls": calls, "results": found}


def answer(api: Any, said: dict[str, Any]) -> dict[str, Any]:
    """Run a description to its end, in plain data."""
    answered: dict[str, Any] = json.loads(json.dumps(asyncio.run(run(api, said))))
    return answered


def main() -> None:
    """Answer every line of the standard input."""
    api = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        try:
            answered = answer(api, json.loads(line))
        except Exception as error:
            answered = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answered) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
