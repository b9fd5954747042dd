"""Channels from a folder in the form of DFFML's multicomm: ``mc/http`` has channels, ``df`` the data flow of each under
the same name, and ``override`` what is merged over it.

Files are JSON or YAML, in folders as deep as one likes. Neighbours: `channel`, `formats.dffml` (how files are merged).
"""

from __future__ import annotations

import os
from pathlib import Path

from tidemill.errors import InvalidDocument, InvalidFlow, Problem, shown
from tidemill.formats.dffml import merged_flow
from tidemill.formats.read import Document, format_of, read_document
from tidemill.serving.channel import Channel, channel_of

__all__ = ["channels_in"]


def channels_in(folder: str | os.PathLike[str]) -> list[Channel]:
    """Return the channels of a folder, in the order of their names.

    Raises `InvalidDocument` (NoChannels, NoDataFlow, AmbiguousName, or what is wrong with a file), `InvalidFlow`.
    """
    root = Path(folder)
    configs = _documents(root / "mc" / "http")
    if not configs:
        said = f"there is no channel in {root / 'mc' / 'http'}; expected files NAME.yaml with a path"
        raise InvalidDocument(said, reason="NoChannels", path=str(root))
    flows, overrides = _documents(root / "df"), _documents(root / "override")
    return [_channel(name, config, flows, overrides, root) for name, config in configs.items()]


def _documents(folder: Path) -> dict[str, Document]:
    """Return the documents below a folder by their path in it, without suffix."""
    found: dict[str, Document] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or format_of(path.name) is None or path.name.startswith("."):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            said = f"{found[name].source} and {path} have one name; keep one of them"
            raise InvalidDocument(said, reason="AmbiguousName", path=str(path))
        found[name] = read_document(path)
    return found


def _channel(
    name: str, config: Document, flows: dict[str, Document], overrides: dict[str, Document], root: Path
) -> Channel:
    layers = [layer[name] for layer in (flows, overrides) if name in layer]
    if not layers:
        said = f"there is no data flow {name}.json or .yaml in {root / 'df'} for the channel {config.source}"
        raise InvalidDocument(said, reason="NoDataFlow", path=config.source)
    if not isinstance(config.value, dict):
        said = f"expected a mapping with a path, got {shown(config.value)}"
        raise InvalidDocument(said, reason="TypeMismatch", path=config.source)
    try:
        dataflow = merged_flow(layers)
    except InvalidFlow as error:
        raise type(error)([Problem(p.reason, p.path, p.message) for p in error.problems]) from error
    return channel_of(config.value, dataflow, where=config.source, folder=str(root))
