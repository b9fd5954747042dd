"""What the kinds say of the parts that a data flow has in files too: descriptions for ``kubectl explain``, and bounds.

The parts themselves are `tidemill.formats.schema`. Neighbour: `structural`, which puts both together.
"""

from __future__ import annotations

from tidemill_operator.kinds.base import DNS_LABEL
from tidemill_operator.kinds.structural import Said

__all__ = ["FLOW", "MOST_OPERATIONS", "OPERATION_NAME"]

MOST_OPERATIONS = 256
"""Operations of a data flow that is written in an object; a larger one comes out of a ConfigMap."""

OPERATION_NAME = r"^[A-Za-z0-9_][-A-Za-z0-9_.:@+]*$"
"""What the code of an operation is called: an entry point, or module:attribute."""

_NAME = {"minLength": 1, "maxLength": 253}
_TEXT = {"maxLength": 253}
_REFERENCE = "the name of one of the definitions, or (where linked is not true) the definition itself"
_SOURCES = (
    "seed or another origin; {operation: output}; {origin: [definitions]}; or a list of these, that of the input "
    "first, then of its parents"
)


def _map(text: str, most: int, **values: object) -> Said:
    return Said(text, {"maxProperties": most}, values)


def _list(text: str, most: int, **items: object) -> Said:
    return Said(text, {"maxItems": most, "x-kubernetes-list-type": "atomic"}, items)


FLOW: dict[tuple[str, str], Said] = {
    ("FileFlow", "operations"): _map("The operations, by the names of their instances.", MOST_OPERATIONS),
    ("DataFlowSpec", "definitions"): _map("The types of data that operations take and give, by name.", 1024),
    ("DataFlowSpec", "linked"): Said(
        "Whether operations, seeds and forwarding name their definitions, or have them in place."
    ),
    ("FileFlow", "seed"): _list("Inputs that every context begins with.", 1024),
    ("FileFlow", "flow"): _map(
        "Where the inputs of each operation come from, by instance. Without it: from whoever gives their definitions.",
        MOST_OPERATIONS,
    ),
    ("FileFlow", "configs"): _map("What operations are configured with, by instance: any JSON.", MOST_OPERATIONS),
    ("FileFlow", "forward"): Said("Inputs that are passed on into data flows that operations run."),
    ("FileFlow", "limits"): Said("What one context may grow to before it fails."),
    ("OperationPart", "name"): Said(
        "The code of the operation: the name of an entry point, or module:attribute.",
        {**_NAME, "pattern": OPERATION_NAME},
    ),
    ("OperationPart", "inputs"): _map(f"What the operation takes, by parameter: {_REFERENCE}.", 64),
    ("OperationPart", "outputs"): _map(f"What the operation gives, by output: {_REFERENCE}.", 64),
    ("OperationPart", "stage"): Said("When the operation runs: processing unless said, then cleanup, then output."),
    ("OperationPart", "conditions"): _list(f"What must have been true before the operation runs: {_REFERENCE}.", 64),
    ("OperationPart", "expand"): _list("Outputs that are lists of which each element becomes an input.", 64, **_NAME),
    ("OperationPart", "instance_name"): Said("The name of the instance again.", _NAME),
    ("OperationPart", "validator"): Said("Whether the operation checks values of the definition that it takes."),
    ("OperationPart", "retry"): Said("How often the operation is tried: 0 and 1 are once.", {"maximum": 1000}),
    ("OperationPart", "conditions_mode"): Said("Whether all conditions must have been true (unless said), or any."),
    ("OperationPart", "pool"): Said(
        "The pool whose workers run the operation: default unless said.",
        {"minLength": 1, "maxLength": 63, "pattern": DNS_LABEL},
    ),
    ("OperationPart", "executor"): Said("Where in a worker the operation runs; unless said as its code asks for."),
    ("OperationPart", "concurrency"): Said(
        "How often a worker runs the operation at once at most.", {"maximum": 100_000}
    ),
    ("OperationPart", "timeout"): Said("Seconds after which a try fails.", {"maximum": 86_400}),
    ("OperationPart", "backoff"): Said(
        "Seconds before the second try; doubled for each one after.", {"maximum": 86_400}
    ),
    ("DefinitionPart", "name"): Said("The name of the definition; under definitions the key says it.", _TEXT),
    ("DefinitionPart", "primitive"): Said(
        "What a value is: string, int, float, boolean, map, array, bytes, or another word.", _NAME
    ),
    ("DefinitionPart", "default"): Said("The value that is taken when none can come any more: any JSON."),
    ("DefinitionPart", "lock"): Said("Whether only one operation at a time may have a value, and what was made of it."),
    ("DefinitionPart", "spec"): Said("The fields of a structured value."),
    ("DefinitionPart", "subspec"): Said("Whether the fields are those of the elements of a list."),
    ("DefinitionPart", "validate_"): Said("The instance of an operation that checks values of this definition.", _NAME),
    ("DefinitionPart", "links"): _list("Definitions that this one builds on.", 64),
    ("DefinitionPart", "dedupe"): Said("value: equal values are one input. Unless said each is its own."),
    ("SpecPart", "name"): Said("The name of the structure.", _NAME),
    ("SpecPart", "types"): _map("The types of the fields, by name.", 64, **_NAME),
    ("SpecPart", "defaults"): _map("The values of fields that are left out: any JSON.", 64),
    ("SeedPart", "value"): Said("The value: any JSON of the definition's primitive."),
    ("SeedPart", "definition"): Said(f"The definition of the value: {_REFERENCE}."),
    ("SeedPart", "origin"): Said("Where the value is said to come from: seed unless said, or [operation, output]."),
    ("SeedPart", "uid"): Said("A name for the input.", _TEXT),
    ("FlowPart", "inputs"): _map(f"For each parameter its sources: {_SOURCES}.", 64, maxItems=64),
    ("FlowPart", "conditions"): _list(f"Where the conditions come from: {_SOURCES}.", 64),
    ("ForwardPart", "book"): _map(f"For each instance what is passed on: {_REFERENCE}.", MOST_OPERATIONS, maxItems=64),
    ("LimitsPart", "inputs"): Said("Inputs of a context: 1000000 unless said.", {"maximum": 10**9}),
    ("LimitsPart", "parameter_sets"): Said("Parameter sets of a context: 1000000 unless said.", {"maximum": 10**9}),
    ("LimitsPart", "outputs"): Said("Inputs that one parameter set may give: 100000 unless said.", {"maximum": 10**9}),
    ("LimitsPart", "value_bytes"): Said("Bytes of one value.", {"maximum": 2**40}),
    ("LimitsPart", "value_depth"): Said("Levels of lists and maps in one value.", {"maximum": 1000}),
    ("LimitsPart", "subflow_depth"): Said("How deep data flows may run data flows: 16 unless said.", {"maximum": 1000}),
    ("LimitsPart", "contexts"): Said("Contexts of one run.", {"maximum": 10**9}),
    ("InputPart", "definition"): Said("The name of the definition of the value.", _NAME),
    ("InputPart", "value"): Said("The value: any JSON of the definition's primitive."),
    ("InputPart", "origin"): Said("Where the value is said to come from: seed unless said.", _NAME),
    ("InputPart", "uid"): Said("A name for the input.", _TEXT),
    ("InputSetPart", "context"): Said(
        "What the context is called. One may go without: it is called like the object.",
        {"maxLength": 63, "pattern": r"^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$", "default": ""},
    ),
    ("InputSetPart", "inputs"): Said("The inputs one by one."),
    ("InputSetPart", "values"): _map(
        "The inputs by definition: a value, or a list of values where the definition is no array.", 256
    ),
}
"""By model and field: of `tidemill.formats.schema`, and what the kind has in both of its forms."""
