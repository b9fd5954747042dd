"""Classes that packages announce: a base class names an entry point group, and `Entrypoint.load` finds its subclasses.

Discovery uses the metadata of installed packages (`importlib.metadata`). Neighbour: `compat.objects`.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tidemill.errors import EntrypointNotFound, InvalidInput, did_you_mean
from tidemill.runtime.find import said_elsewhere

__all__ = ["Entrypoint", "base_entry_point", "entrypoint", "load"]

Class = TypeVar("Class", bound=type)


@contextlib.contextmanager
def _findable(folder: str | Path | bool | None) -> Iterator[None]:
    """Let modules be imported from a folder (True: the working directory) for as long as it lasts."""
    if folder is None or folder is False:
        yield
        return
    place = os.getcwd() if folder is True else str(folder)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)


def load(*args: str, relative: str | Path | bool | None = None) -> Iterator[Any]:
    """Yield what each ``module:attribute`` names; ``relative`` is a folder that modules are looked for in, too.

    Raises ImportError, AttributeError and KeyError for what is not there.
    """
    with _findable(relative):
        for path in args:
            module, _, names = path.partition(":")
            found: Any = importlib.import_module(module)
            for name in filter(None, names.split(".")):
                found = found[name] if hasattr(found, "__getitem__") else getattr(found, name)
            yield found


def entrypoint(label: str) -> Callable[[Class], Class]:
    """Say under which name a class is announced."""

    def named(cls: Class) -> Class:
        vars_of: Any = cls
        vars_of.ENTRY_POINT_ORIG_LABEL = vars_of.ENTRY_POINT_LABEL = label
        return cls

    return named


def base_entry_point(entrypoint: str, *args: str) -> Callable[[Class], Class]:
    """Say in which group the subclasses of a class are announced, and by which words a configuration names them."""

    def named(cls: Class) -> Class:
        vars_of: Any = cls
        vars_of.ENTRYPOINT = entrypoint
        vars_of.ENTRY_POINT_NAME = list(args)
        return cls

    return named


class Entrypoint:
    """A class whose subclasses packages announce."""

    ENTRYPOINT: ClassVar[str] = "util.entrypoint"
    ENTRY_POINT_NAME: ClassVar[list[str]] = []
    ENTRY_POINT_LABEL: ClassVar[str] = ""
    ENTRY_POINT_ORIG_LABEL: ClassVar[str] = ""

    @classmethod
    def load(cls, loading: Any = None, entrypoint: str | None = None) -> Any:
        """Return what is announced as ``loading``, or is at ``module:attribute``; without a name, all that is.

        Raises `EntrypointNotFound`.
        """
        if inspect.isclass(loading) and issubclass(loading, cls):
            return loading
        if loading is not None and ":" in loading:
            return next(load(loading, relative=True))
        group = entrypoint or cls.ENTRYPOINT
        announced: list[Any] = [*metadata.entry_points(group=group), *said_elsewhere(group).values()]
        if loading is None:
            return [_labelled(entry) for entry in announced]
        for entry in announced:
            if entry.name == loading:
                return _labelled(entry)
        known = [entry.name for entry in announced]
        raise EntrypointNotFound(
            f'nobody announces "{loading}" in {group} {did_you_mean(loading, known)}', path=loading
        )

    @classmethod
    def load_multiple(cls, to_load: Iterable[str]) -> dict[str, Any]:
        """Return what is announced under each name."""
        return {name: cls.load(name) for name in to_load}

    @classmethod
    def load_dict(cls, to_load: Mapping[str, str]) -> dict[str, Any]:
        """Return what is announced under each name, by the key that the name is at."""
        return {key: cls.load(name) for key, name in to_load.items()}

    @classmethod
    def load_labeled(cls, label_and_loading: str) -> Any:
        """Return the class that ``label=name`` means, with that label. Raises `InvalidInput` (LabelMissing)."""
        label, equals, name = label_and_loading.partition("=")
        if not equals:
            said = f'"{label_and_loading}" has no label; write label={label_and_loading}'
            raise InvalidInput(said, reason="LabelMissing")
        loaded = cls.load(name)
        return type(loaded.__qualname__, (loaded,), {"ENTRY_POINT_LABEL": label})


def _labelled(entry: Any) -> Any:
    loaded = entry.load()
    loaded.ENTRY_POINT_LABEL = entry.name
    return loaded
