"""Makes docs/dataflow.md, the reference of both kinds, out of the models that their definitions are made of.

``--check`` says whether the page is what the code says. Neighbour: tidemill_operator.kinds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidemill_operator.kinds.crd import KINDS, Kind, definition
from tidemill_operator.kinds.status import CONDITIONS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "dataflow.md"

HEAD = """# The kinds DataFlow and DataFlowRun

*Made by `make docs` out of `operator/tidemill_operator/kinds`; edit that, and not this page.*

A **DataFlow** says what operations there are, what they run over, and what workers run them. With `inputs` it runs
when it is applied, and what is added to them later is run then; without any it is there to be named. A
**DataFlowRun** names a DataFlow and runs it once more, over inputs of its own. [The
samples](../examples/kubernetes/README.md) are the quickest way to see both.

## What is the same as in a file

`operations`, `definitions`, `linked`, `flow`, `seed`, `configs`, `forward` and `limits` are a data flow in its
exported form, as Tidemill and DFFML write it: it can be pasted under `spec`. Fields of two words have two spellings
there, `conditions_mode` and `conditionsMode`. `tidemill convert` writes a file or a data flow in Python as an
object, and the other way round.

`tidemill validate` and `tidemill run` read an object like any other file. They pass over what only a cluster needs
(`pools` and the like), and refuse to run what only a cluster has: a value, a data flow or a file of inputs that is
in a ConfigMap. A file may hold other objects too, such as a ConfigMap, if one of them is a DataFlow.

## Inputs

Each entry of `inputs` is a context of its own. `values` is the short form, `inputs` the long one, and an entry may
have both:

```yaml
inputs:
  - context: morning
    values: {url: "https://example.org", limit: 3}
  - context: evening
    inputs:
      - {definition: url, value: "https://example.org/evening"}
      - definition: token
        valueFrom: {configMapKeyRef: {name: tokens, key: evening}}
```

In `values` a list stands for several values, unless its definition takes a list. One entry may go without
`context`: its context is called like the object, all others `<object>.<context>`. Inputs that are too many for an
object are in a file that `inputsFrom` names: in a ConfigMap or at a URL, with one context on each line (`jsonl`,
`csv`) or in one document (`yaml`, `json`).

A file at a `url` (`s3://bucket/path`, `gs://…`, `azblob://…`, `https://…`) is fetched when the object is looked at
first, and all of it is checked before a context is opened; another content under the same URL is another source, so
write another object, or change this one. Credentials are those of `secretRef`, whose keys the table below has, and
never those of the operator; its chart names the Secrets that it may read (`watch.inputSecrets`). Whoever may write an
object has the operator fetch things, so an administrator says what: settings of the operator (`operator.env` of the
chart) bound the schemes (`TIDEMILL_URL_SCHEMES`; `http` and `file` are not among them), the size
(`TIDEMILL_URL_BYTES`, 64 MiB), the contexts (`TIDEMILL_URL_CONTEXTS`, 100,000) and the seconds
(`TIDEMILL_URL_SECONDS`). Hosts have public addresses unless they are in `TIDEMILL_URL_HOSTS`, endpoints of object
stores have to be in it, and nothing is redirected. What is larger goes in by [the HTTP API](api.md).

## Pools and scale

An operation runs on the workers of its `pool`, and there is always one that is called `default`. A pool has
`replicas` workers if that is said, else between `minReplicas` (0) and `maxReplicas` (10), by the work that waits.
`/scale` is about the pool `default` only, since an object has one scale: it reads and writes `spec.replicas`, which
goes before what the pool says. The workers of the other pools are scaled by their own entry under `pools`.

A pool of kind `Job` keeps parameter sets apart: each is run by one Job, whose pod takes one parameter set, runs it,
reports, and ends. There are as many Jobs at once as parameter sets are ready, up to `maxReplicas`; what is ready by
their outputs is done by others. A pod that dies has its parameter set given to a new Job, as often as its operation may
be tried; after two Jobs in a row that failed there is a pause before the next one, which doubles. The newest three
Jobs that succeeded and five that failed are kept for five minutes, for their logs. A pod costs seconds where a worker
that stays costs a millisecond, so this is for what is long, or must not share a process, a node or credentials.

To have a whole context as one Job, as DFFML's `kubernetes.job` has it, put its data flow into the configuration of
the operation `run_dataflow_in_memory`, and that operation into a pool of kind `Job`: the data flow is run from its
inputs to its result within that pod, and its result goes on as the output of the operation ([a
sample](../examples/kubernetes/jobs.yaml)).

Code comes with the `image` of the pool, or, to try things, out of ConfigMaps of Python modules (`modulesFrom`).

## What is checked, and by whom

The API server checks shapes, bounds and the rules below; kubectl prints what it says. What needs the whole data
flow is checked by the operator: the condition `Accepted` is then `False`, with the reason and the place. `tidemill
validate` says the same before.

* Values are any JSON, and so are the places where the exported form has several shapes: what stands for a
  definition (its name, or the definition itself), sources of a flow, and origins. Everything else is typed and
  bounded.
* Two keys of one name are not noticed by the API server, which takes the last; `tidemill validate` refuses them.
  Fields that are not known are refused, unless validation is turned off: then they are dropped.
* An integer above 2^63 becomes a float in the API server. A whole float is stored as an integer; its definition
  says what it is.
* An object has 1.5 MiB at most. `kubectl apply` keeps a copy in an annotation and takes 256 KiB; use `kubectl apply
  --server-side` above that, or `dataFlowFrom` and `inputsFrom`.
* A run stays what it is: only `suspend`, `cancel` and `ttlSecondsAfterFinished` can be changed, and inputs added
  while it has not ended.

## Conditions
"""


def page() -> str:
    """Return the page as the code has it."""
    conditions = [f"`{name}`" for name in CONDITIONS]
    told = f"{', '.join(conditions[:-1])} and {conditions[-1]}, each with a reason in one word and a message.\n"
    return HEAD + "\nEvery object has " + told + "".join(_kind(kind) for kind in KINDS)


def _kind(kind: Kind) -> str:
    (version,) = definition(kind)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    parts = [f"\n## {kind.kind}\n\n{kind.text}\n\nShort name `{kind.short}`, category `tidemill`.\n"]
    for name in ("spec", "status"):
        parts.append(f"\n### {kind.kind}: {name}\n")
        parts.append(_table(("field", "type", "what it is"), _rows(schema["properties"][name], name)))
    rules = list(_rules(schema, ""))
    parts.append(f"\n### {kind.kind}: rules\n")
    parts.append(_table(("of", "rule"), rules))
    return "".join(parts)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, *rows]]
    return "\n" + "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


def _rows(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        text = part.get("description", "").replace("|", "\\|")
        default = f" Default: `{_shown(part['default'])}`." if part.get("default") not in (None, {}, "") else ""
        yield f"`{path}.{name}`", _type(part) + (", required" if name in required else ""), text + default
        if "Affinity" in name:  # as Kubernetes has it
            continue
        yield from _rows(*_inner(part, f"{path}.{name}"))


def _inner(part: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Return the schema whose fields come next, and its path."""
    while True:
        if "items" in part:
            part, path = part["items"], f"{path}[]"
        elif isinstance(part.get("additionalProperties"), dict):
            part, path = part["additionalProperties"], f"{path}.*"
        else:
            return part, path


def _shown(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _type(part: dict[str, Any]) -> str:
    if part.get("x-kubernetes-int-or-string"):
        return "amount"
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "items" in part:
        return f"list of {_type(part['items'])}, {part['maxItems']} at most"
    if isinstance(part.get("additionalProperties"), dict):
        return f"map of {_type(part['additionalProperties'])}, {part['maxProperties']} at most"
    return {"string": "text", None: "any JSON"}.get(part.get("type"), str(part.get("type")))


def _rules(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"`{path or 'the object'}`", rule["message"].replace("|", "\\|")
    for name, part in schema.get("properties", {}).items():
        inner, at = _inner(part, f"{path}.{name}" if path else name)
        yield from _rules(inner, at)


def main() -> int:
    """Write the page, or say whether it is up to date; return the exit code."""
    made = page()
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text("utf-8") == made:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the code says; run `make docs`")
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
