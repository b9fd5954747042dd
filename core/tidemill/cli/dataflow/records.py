"""``tidemill dataflow run records all`` and ``… set``."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidemill.cli.dataflow.asked import asked, execute, named_definition, run_options
from tidemill.cli.dataflow.words import DffmlCommand, option, several
from tidemill.cli.options import examples

if TYPE_CHECKING:
    from tidemill.formats.inputs import InputSet
    from tidemill.formats.sources import Records, SourceConfig

__all__ = ["every", "some"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_SOURCE = re.compile(r"--?source-(?:(?P<label>.+)-)?(?P<field>[a-z]+)")
_FLAGS = ("readwrite", "allowempty")
_FIELDS = ("filename", "tag", "key", "tagcol", *_FLAGS)
_KEPT = "tidemill.dataflow.sources"


class RecordsCommand(DffmlCommand):
    """A command with the options of a source, ``-source-filename`` or ``-source-LABEL-filename`` and so on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, those about sources first."""
        left: list[str] = []
        kept: dict[str, str] = ctx.meta.setdefault(_KEPT, {})
        at = 0
        while at < len(args):
            name, equals, value = args[at].partition("=")
            found = _SOURCE.fullmatch(name)
            at += 1
            if found is None:
                left.append(args[at - 1])
                continue
            if found["field"] not in _FIELDS:
                raise click.UsageError(f"{name} is no option of a source here; there are {', '.join(_FIELDS)}.", ctx)
            if not equals and (at == len(args) or args[at].startswith("-")):
                if found["field"] not in _FLAGS:
                    raise click.UsageError(f"{name} takes a value.", ctx)
                value = "true"
            elif not equals:
                value, at = args[at], at + 1
            kept[found["field"]] = value
        return super().parse_args(ctx, left)


def _record_options(function: _Function) -> _Function:
    for decorate in reversed(
        [
            several("sources", required=True, metavar="LABEL=KIND",
                help="Where the records are: json, csv, or memory (an empty one)."),
            option("record-def", metavar="DEFINITION", help="The definition that the key of a record is an input of."),
            several("caching", metavar="FEATURE…", help="Pass over records that have all of these features."),
            option("no-update", is_flag=True, help="Do not write results into the source."),
            run_options,
        ]
    ):  # fmt: skip
        function = decorate(function)
    return function


@click.command(
    "all",
    cls=RecordsCommand,
    epilog=examples(
        "tidemill dataflow run records all -dataflow flow.yaml -sources m=csv -source-filename people.csv -source-key "
        "name -record-def name",
    ),
)
@_record_options
def every(**options: Any) -> int:
    """Run a data flow for all records of a source, and print the records with the results as features."""
    return _run(None, **options)


@click.command(
    "set",
    cls=RecordsCommand,
    epilog=examples(
        "tidemill dataflow run records set -dataflow flow.yaml -sources m=memory -record-def name -keys Ada Grace",
    ),
)
@several("keys", required=True, metavar="KEY…", help="The keys of the records.")
@_record_options
def some(keys: tuple[str, ...], **options: Any) -> int:
    """Run a data flow for the records whose keys are given, and print them with the results as features."""
    return _run(keys, **options)


def _run(
    keys: Iterable[str] | None,
    *,
    sources: tuple[str, ...],
    record_def: str | None,
    caching: tuple[str, ...],
    no_update: bool,
    **options: Any,
) -> int:
    from tidemill.formats.sources import read_records, write_records

    config = _config(sources)
    given = asked(**options)
    definition = named_definition(given, record_def, "-record-def") if record_def is not None else None
    records = read_records(config)
    for key in keys or ():
        records.setdefault(key, {"features": {}})
    wanted = [
        key
        for key in (dict.fromkeys(keys) if keys is not None else records)
        if not caching or not set(caching) <= set(records[key]["features"])
    ]
    try:
        return execute(given, [_input_set(key, definition) for key in wanted], lambda done: _evaluated(done, records))
    finally:
        if not no_update:
            write_records(config, records)


def _config(sources: tuple[str, ...]) -> SourceConfig:
    from tidemill.formats.sources import KINDS, SourceConfig

    label, equals, kind = sources[0].rpartition("=")
    if len(sources) > 1 or kind not in KINDS:
        said = f"expected one source, LABEL=KIND with a kind out of {', '.join(KINDS)}; got {' '.join(sources)}."
        raise click.BadParameter(said, param_hint="-sources")
    said_of_it: dict[str, Any] = dict(click.get_current_context().meta[_KEPT])
    for flag in _FLAGS:
        if flag in said_of_it:
            said_of_it[flag] = said_of_it[flag].lower() in ("true", "yes", "on", "1")
    if kind != "memory" and not said_of_it.get("filename"):
        raise click.UsageError(f"a source of the kind {kind} is a file; say which with -source-filename FILE.")
    return SourceConfig(kind, **said_of_it)


def _input_set(key: str, definition: Any) -> InputSet:
    from tidemill.cli.dataflow.literal import input_of_text
    from tidemill.formats.inputs import InputSet

    found = InputSet(key, [], f"record {key}")
    if definition is not None:
        found.inputs.append(input_of_text(key, definition, f"record {key}"))
        found.places.append(f"record {key}")
    return found


def _evaluated(done: dict[str, Any], records: Records) -> dict[str, Any]:
    """Return a record with the result as features, which it keeps."""
    record = records[done["context"]]
    record["features"] = {**record["features"], **done["result"]}
    now = datetime.datetime.now(datetime.UTC)
    record.update(key=done["context"], last_updated=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    record.setdefault("extra", {})
    return record
