"""What the argument FLOW stands for: a file, ``module:attribute``, or a URL.

Neighbours: `remote` gets URLs, `formats.load` reads files; the verbs get a `Source` whatever it was.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.errors import InvalidDocument, LoadError, Problem, TidemillError, did_you_mean, pointer, shown

if TYPE_CHECKING:
    from tidemill.formats.load import LoadedFlow
    from tidemill.model.dataflow import DataFlow

__all__ = ["FLOW_HELP", "Source", "open_source", "search"]

FLOW_HELP = """FLOW is a file (.json, .yaml), module:attribute (a DataFlow, or a function without arguments that returns
one), or, with --allow-remote, an http(s) URL. Modules are looked for in the folder of the file, in the current folder,
and among what is installed."""

_NAMED_TOGETHER = 5
"""Operations that are named when several cannot be loaded for one reason."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Source:
    """A data flow, and where it came from: ``file`` is None if it came from a module; a local one is in ``folder``."""

    dataflow: DataFlow
    file: LoadedFlow | None = None
    folder: str | None = None

    @property
    def inputs(self) -> Any:
        """The inputs that the document itself gives, as plain data, or None."""
        return self.file.inputs if self.file is not None else None

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What reading it gave to warn about."""
        return self.file.warnings if self.file is not None else ()

    def missing_code(self) -> list[Problem]:
        """Import the code of every operation, and return a problem for each reason why some cannot be."""
        from tidemill.runtime.find import find_implementation

        folders = [os.getcwd(), *([self.folder] if self.folder is not None else [])]
        for folder in folders:
            search(folder)
        looked = f"modules are looked for in {', '.join(dict.fromkeys(reversed(folders)))} and among what is installed"
        alike: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for instance, operation in sorted(self.dataflow.operations.items()):
            try:
                find_implementation(operation, self.dataflow.implementations)
            except LoadError as error:
                cause = error.message.removeprefix(f"{operation.name}: ")
                hint = f"; {looked}" if isinstance(error.__cause__, ModuleNotFoundError) else ""
                alike.setdefault((error.reason, cause), []).append((instance, error.message + hint))
        return [_load_problem(reason, found) for (reason, _), found in alike.items()]

    def locate(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems with the paths and lines of the file, if it came from one."""
        listed = tuple(problems)
        return self.file.locate(listed) if self.file is not None and listed else list(listed)


def open_source(flow: str, *, allow_remote: bool = False, format: str | None = None) -> Source:
    """Return the data flow that ``flow`` stands for; a file is read as ``format`` says, or as its suffix does.

    Raises `InvalidDocument` and `InvalidFlow` for what a file says, `LoadError` if a module gives no data flow.
    """
    if _URL.match(flow):
        return _from_url(flow, allow_remote=allow_remote)
    if format is None and _MODULE.fullmatch(flow) and not os.path.exists(flow):
        return Source(_from_module(flow))
    from tidemill.formats.load import load_flow

    loaded = load_flow(flow, format=format)
    return Source(loaded.dataflow, loaded, os.path.dirname(os.path.abspath(flow)))


def _from_url(url: str, *, allow_remote: bool) -> Source:
    if not allow_remote:
        message = "a data flow says what code is run; give --allow-remote if you trust this URL"
        raise InvalidDocument(message, reason="UrlNotAllowed", path=url)
    from tidemill.cli.remote import download
    from tidemill.formats.load import flow_of
    from tidemill.formats.read import format_of, parse_document

    body, final = download(url)
    loaded = flow_of(parse_document(body, source=final, format=format_of(final.partition("?")[0])))
    return Source(loaded.dataflow, loaded)


def _from_module(name: str) -> DataFlow:
    from tidemill.model.dataflow import DataFlow

    module_name, _, attribute = name.partition(":")
    search(os.getcwd())
    found: Any = _called(name, f"importing {module_name}", lambda: importlib.import_module(module_name))
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [each for each in dir(found) if not each.startswith("_")]
            raise _load_error(name, f"{shown(found)} has no {part!r} {did_you_mean(part, known)}")
        found = getattr(found, part)
    if callable(found) and not isinstance(found, DataFlow):
        found = _called(name, f"calling {attribute}()", found)
    if not isinstance(found, DataFlow):
        raise _load_error(name, f"it is {shown(found)}, expected a DataFlow or a function that returns one")
    return found


def search(folder: str) -> None:
    """Let modules be imported from a folder before all others, as Python does with that of a script."""
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _load_problem(reason: str, found: list[tuple[str, str]]) -> Problem:
    """Return the problem of operations, each given as (instance, message), that cannot be loaded for one reason."""
    (first, message), *others = found
    if others:
        named = ", ".join(shown(instance) for instance, _ in others[:_NAMED_TOGETHER])
        more = f" and {len(others) - _NAMED_TOGETHER} more" if len(others) > _NAMED_TOGETHER else ""
        message += f"; so it is with {named}{more}"
    return Problem(reason, pointer("operations", first), message)


def _called(name: str, doing: str, function: Any) -> Any:
    try:
        return function()
    except TidemillError:
        raise
    except (Exception, SystemExit) as error:
        raise _load_error(name, f"{doing} raised {type(error).__name__}: {error}") from error


def _load_error(name: str, message: str) -> LoadError:
    return LoadError(message, reason="FlowLoadError", path=name)
