"""Makes docs/redis.md out of the code: keys, functions, what a store has to be, and what things cost in bytes.

Run as a program it writes the page; with ``--check`` it says whether the page is as the code has it, with
``--measure`` it measures first, on a server of its own, and keeps the figures in benchmarks/redis_memory.json.
"""

import argparse
import asyncio
import json
import re
import sys
from importlib import resources
from pathlib import Path

from tidemill.backends.redis.access import FAITHFUL, commands
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.checks import DURABILITY, LEAST
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.keys import FIELDS, KEYS
from tidemill.backends.redis.library import FILES, LAYOUT
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.operation import Operation
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "redis.md"
FIGURES = ROOT / "benchmarks" / "redis_memory.json"
MANY = 2000

HEAD = f"""# Tidemill over Redis or Valkey

*Made by `make docs` out of the code; edit that, and not this page.*

Everything that processes share is in one store, and every change of it is one call of one library of functions,
`tidemill_{LAYOUT}`. Why it is so: [decision 0008](decisions/0008-the-engine-in-functions.md).
`tidemill doctor --backend URL` looks at a store.

## What a store has to be
"""

FORGETS = """
With `fast` (`appendfsync everysec`) the death of the server loses at most the last second: work of it is done again,
submits of it are lost. With `none` it loses everything.
"""


def page() -> str:
    """Return the page as the code has it."""
    return "\n".join([HEAD, _store(), _keys(), _functions(), _figures()])


def _store() -> str:
    least = {kind: ".".join(map(str, version)) for kind, version in LEAST.items()}
    faithful = " and ".join(f"{kind.title()} {'.'.join(map(str, version))}" for kind, version in FAITHFUL.items())
    chosen = ", ".join(f"`{name}`" for name in DURABILITY[1:])
    table = _table(
        ("what", "has to be", "otherwise"),
        ("server", f"Redis {least['redis']} or Valkey {least['valkey']}, or newer", "refused: ServerTooOld"),
        ("role", "a primary", "refused: StoreReadOnly"),
        ("`maxmemory-policy`", "`noeviction`", "`allkeys-…` is refused, `volatile-…` warned of: EvictionPolicy"),
        ("`appendonly`, `appendfsync`", "`yes`, `always`", f"refused unless chosen by name ({chosen}): NotDurable"),
        ("`evicted_keys`", "0", "warned of: StateSuspect"),
        (
            "node of a cluster",
            "the one with the slot of the shard, which `redis+cluster://` finds and follows",
            "refused: WrongNode",
        ),
        ("user", "may call the commands below", "refused, with what to grant: NotAllowed"),
        (
            f"user `default`, before {faithful}",
            "may do what the log says; it may be off all the same",
            "refused, as a restart would lose what functions have written: LogNotReplayed, CannotCheck",
        ),
        ("`INFO`, `CONFIG GET`", "allowed", "what could not be seen is said: ConfigForbidden, CannotCheck"),
        ("round trip", "below 5 ms", "warned of: SlowStore"),
        (
            "functions",
            "of this layout and version",
            "loaded by whoever starts working with it and may; workers on a cluster wait until the operator has",
        ),
    )
    return f"{table}{FORGETS}\nCommands: {', '.join(f'`{name}`' for name in commands())}.\n"


def _table(*rows: tuple[str, ...]) -> str:
    head, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest]) + "\n"


def _keys() -> str:
    rows = [(f"`{key.name}{':' + key.of if key.of else ''}`", key.type, key.holds, key.gone) for key in KEYS]
    fields = _table(("field", "what"), *[(f"`{name}`", what) for name, what in FIELDS])
    about = f"""## Keys

Every key begins with the hash tag of its shard, `{{tm{LAYOUT}:0}}`, so a shard is in one slot of a cluster. No name of
a key holds text of a user but names of pools, workers, owners and groups. Nothing but `blob`, while
nothing refers to it, and `measured` ever has a time to live.
"""
    return "\n".join([about, _table(("key", "type", "what", "gone"), *rows), "The fields of a context:\n", fields])


def verbs() -> dict[str, str]:
    """Return what each function of the library takes and answers, as the comment above it says."""
    folder = resources.files("tidemill.backends.redis") / "functions"
    found: dict[str, str] = {}
    registered = []
    for name in FILES:
        text = (folder / f"{name}.lua").read_text("utf-8")
        for verb, said in re.findall(r"^-- (\w+): ((?:.+\n)(?:-- .+\n)*)local function", text, re.MULTILINE):
            found[verb] = re.sub(r"\s*\n-- ", " ", said).strip()
        registered += re.findall(rf"'tidemill_{LAYOUT}_(\w+)'", text)
    return {verb: found[verb] for verb in registered}


def _functions() -> str:
    rows = []
    for verb, said in verbs().items():
        request, arrow, rest = said.partition(" -> ")
        answer = rest if arrow else "OK"
        rows.append(tuple(part.replace("|", "\\|") for part in (f"`{verb}`", request, answer)))
    about = f"""## Functions

`FCALL tidemill_{LAYOUT}_<verb> 1 <hash tag> <request> [<blobs>]`; a request is an array packed with msgpack, a list
that is answered is packed too. `<blobs>` are the names of large values that the request refers to: those that are not
there are answered, and nothing is done.
"""
    return "\n".join([about, _table(("verb", "request", "answer"), *rows)])


def _figures() -> str:
    figures = json.loads(FIGURES.read_text("utf-8"))
    rows = [(what, f"{size:,}") for what, size in figures["bytes"].items()]
    about = f"""## What it costs

Bytes in the store, by `MEMORY USAGE` of all keys over {MANY} of each ({figures["server"]}); `make docs ARGS=--measure`
measures again. What has ended costs nothing but its ending, and what is still to be combined no more than its inputs.
"""
    return "\n".join([about, _table(("one more", "bytes"), *rows)])


# -- measured ---------------------------------------------------------------------------------------------------------

NUMBER, OTHER = Definition("number", "int"), Definition("other", "int")


async def measured() -> dict[str, object]:
    """Return the bytes that one more context, input and parameter set cost."""
    plan = compile_plan(DataFlow.auto(Operation("use", {"number": NUMBER}, {})))
    async with EmbeddedStore(durability="none") as store:
        client = Client(store.url)
        await client.load()
        backend = RedisBackend(client)
        version = await client.redis.info("server")
        sizes = {
            "context that is open": await _grown(client, _contexts(backend, plan)),
            "input of four digits": await _grown(client, _inputs(backend, plan, OTHER)),
            "the same as a candidate, with its parameter set ready": await _grown(client, _ready(backend, plan)),
        }
        leased = await backend.implementations.cycle("runner", (), MANY)
        assert len(leased) > 0
        kind = "valkey" if "valkey_version" in version else "redis"
        await backend.shut()
    return {"server": f"{kind} {version[f'{kind}_version']}", "bytes": sizes}


async def _contexts(backend: RedisBackend, plan: Plan) -> None:
    for number in range(MANY):
        await backend.open(f"context {number}", plan, [], hold=True)


async def _inputs(backend: RedisBackend, plan: Plan, definition: Definition) -> None:
    name = f"inputs of {definition.name}"
    await backend.open(name, plan, [], hold=True)
    await backend.add(name, [Input(1000 + number, definition) for number in range(MANY)])


async def _ready(backend: RedisBackend, plan: Plan) -> None:
    each = min(MANY, 200)  # so many are made at once, and nothing waits in a box
    for number in range(MANY // each):
        await backend.open(f"ready {number}", plan, [], hold=True)
        await backend.add(f"ready {number}", [Input(1000 + number, NUMBER) for number in range(each)])


async def _grown(client: Client, work: object) -> int:
    before = await _size(client)
    await work  # type: ignore[misc]
    return round((await _size(client) - before) / MANY)


async def _size(client: Client) -> int:
    keys = [key async for key in client.redis.scan_iter(f"{client.tag}*", count=1000)]
    return sum([int(await client.redis.memory_usage(key, samples=0) or 0) for key in keys])


def main() -> int:
    """Write the page, or say that it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether docs/redis.md is up to date")
    parser.add_argument("--measure", action="store_true", help="measure bytes before, on a server of its own")
    chosen = parser.parse_args()
    if chosen.measure:
        FIGURES.write_text(json.dumps(asyncio.run(measured()), indent=2) + "\n", encoding="utf-8")
    if chosen.check:
        if PAGE.read_text("utf-8") == page():
            return 0
        print("docs/redis.md is not as the code has it: run `make docs`", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
