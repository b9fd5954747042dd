"""Loaders of configuration files: JSON and YAML to plain data and back, by the bounded parsers of `tidemill.formats`.

Neighbour: `tidemill.load`, which makes a data flow of a file in one call.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, ClassVar

from tidemill.compat.entrypoints import base_entry_point, entrypoint
from tidemill.compat.objects import BaseDataFlowFacilitatorObject, BaseDataFlowFacilitatorObjectContext
from tidemill.errors import EntrypointNotFound, did_you_mean
from tidemill.formats.json_text import parse_json
from tidemill.formats.write import yaml_text
from tidemill.formats.yaml_text import parse_yaml
from tidemill.runtime.config import BaseConfig

__all__ = [
    "BaseConfigLoader",
    "BaseConfigLoaderContext",
    "ConfigLoaders",
    "JSONConfigLoader",
    "JSONConfigLoaderContext",
    "YAMLConfigLoader",
    "YAMLConfigLoaderContext",
]


class BaseConfigLoaderContext(BaseDataFlowFacilitatorObjectContext):
    """Reads and writes one format."""

    def __init__(self, parent: BaseConfigLoader) -> None:
        self.parent = parent

    async def loadb(self, resource: bytes) -> Any:
        """Return the data that is written in ``resource``. Raises `InvalidDocument`."""
        raise NotImplementedError

    async def dumpb(self, resource: Any) -> bytes:
        """Return plain data as it is written."""
        raise NotImplementedError


@base_entry_point("dffml.configloader", "config")
class BaseConfigLoader(BaseDataFlowFacilitatorObject):
    """A format of configuration files."""

    CONFIG: ClassVar[Any] = BaseConfig

    def __call__(self) -> Any:
        """Return what reads and writes."""
        return type(self).CONTEXT(self)

    @classmethod
    def load(cls, loading: Any = None, entrypoint: str | None = None) -> Any:
        """Return the loader of a format: json, yaml, yml, or what a package announces."""
        if loading is None:
            return [JSONConfigLoader, YAMLConfigLoader, *super().load(None, entrypoint)]
        if loading in _LOADERS:
            return _LOADERS[loading]
        try:
            return super().load(loading, entrypoint)
        except EntrypointNotFound as error:
            said = f'there is no loader for "{loading}" {did_you_mean(str(loading), _LOADERS)}'
            raise EntrypointNotFound(said, path=str(loading)) from error


class JSONConfigLoaderContext(BaseConfigLoaderContext):
    """Reads and writes JSON."""

    async def loadb(self, resource: bytes) -> Any:
        """Return the data that is written in ``resource``. Raises `InvalidDocument`."""
        return parse_json(resource.decode())

    async def dumpb(self, resource: Any) -> bytes:
        """Return plain data as it is written."""
        return json.dumps(resource, sort_keys=True, indent=4).encode()


@entrypoint("json")
class JSONConfigLoader(BaseConfigLoader):
    """JSON."""

    CONTEXT = JSONConfigLoaderContext


class YAMLConfigLoaderContext(BaseConfigLoaderContext):
    """Reads and writes YAML."""

    async def loadb(self, resource: bytes) -> Any:
        """Return the data that is written in ``resource``. Raises `InvalidDocument`."""
        return parse_yaml(resource.decode())[0]

    async def dumpb(self, resource: Any) -> bytes:
        """Return plain data as it is written."""
        return yaml_text(resource).encode()


@entrypoint("yaml")
class YAMLConfigLoader(BaseConfigLoader):
    """YAML."""

    CONTEXT = YAMLConfigLoaderContext


_LOADERS: dict[str, Any] = {"json": JSONConfigLoader, "yaml": YAMLConfigLoader, "yml": YAMLConfigLoader}


class ConfigLoaders:
    """Reads any file by its suffix: ``async with ConfigLoaders() as loaders: await loaders.load_file(path)``."""

    async def __aenter__(self) -> ConfigLoaders:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def load_file(self, filepath: str | Path, *, base_dir: Path | None = None) -> tuple[tuple[str, ...], Any]:
        """Return (the parts of the path below ``base_dir`` without the suffix, the data)."""
        path = Path(filepath)
        shown = path.relative_to(base_dir) if base_dir is not None else path
        async with BaseConfigLoader.load(path.suffix.lstrip("."))(BaseConfig()) as loader, loader() as context:
            return (*shown.parts[:-1], path.stem), await context.loadb(await asyncio.to_thread(path.read_bytes))
