"""Things that are configured, entered, and give contexts which are entered in turn: DFFML's double context entry.

::

    async with Thing(config) as thing:      # opens what lives long
        async with thing() as context:      # does the work
            ...

Neighbours: `compat.entrypoints` (how packages announce them), `compat.networks` (the networks written so).
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import logging
import os
from typing import Any, ClassVar

from tidemill.compat.entrypoints import Entrypoint
from tidemill.errors import TidemillError
from tidemill.runtime.config import BaseConfig, as_config, plain_fields

__all__ = [
    "BaseConfigurable",
    "BaseDataFlowFacilitatorObject",
    "BaseDataFlowFacilitatorObjectContext",
    "LoggingLogger",
]


class LoggingLogger:
    """Gives a class a logger of its name, and a copy of the environment."""

    @functools.cached_property
    def logger(self) -> logging.Logger:
        """The logger of the class."""
        return logging.getLogger(f"tidemill.{type(self).__qualname__}")

    @property
    def env(self) -> dict[str, str]:
        """A copy of the environment of the process."""
        return dict(os.environ)


class BaseConfigurable:
    """Something with a configuration: one object of the class ``CONFIG``, or its fields as keywords."""

    CONFIG: ClassVar[Any] = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__init__" in vars(cls):
            cls.__init__ = _configured(vars(cls)["__init__"])  # type: ignore[method-assign]

    def __init__(self, config: Any = None, **fields: Any) -> None:
        self.config = _config_of(type(self), config, fields)

    def __eq__(self, other: object) -> bool:
        return bool(type(other) is type(self) and getattr(other, "config", None) == self.config)

    __hash__ = object.__hash__

    @classmethod
    def withconfig(cls, config: Any, *above: str) -> Any:
        """Return one that is configured by a mapping: its fields, or what a command line has read, nested."""
        if cls.CONFIG is None:
            return cls(BaseConfig())
        name = [*above, *getattr(cls, "ENTRY_POINT_NAME", ()), getattr(cls, "ENTRY_POINT_LABEL", "")]
        return cls(as_config(cls.CONFIG, plain_fields(config, *name)))


def _configured(init: Any) -> Any:
    @functools.wraps(init)
    def __init__(self: Any, config: Any = None, **fields: Any) -> None:
        init(self, _config_of(type(self), config, fields))

    return __init__


def _config_of(cls: type[BaseConfigurable], config: Any, fields: dict[str, Any]) -> Any:
    if config is not None and fields:
        said = f"{cls.__qualname__} takes a configuration or its fields, not both"
        raise TidemillError(said, reason="InvalidConfig")
    if config is not None:
        return as_config(cls.CONFIG, config) if isinstance(config, dict) and cls.CONFIG is not None else config
    if cls.CONFIG is None:
        if fields:
            raise TypeError(f"{cls.__qualname__} has no configuration, so it takes none of {sorted(fields)}")
        return BaseConfig()
    missing = [
        field.name
        for field in (dataclasses.fields(cls.CONFIG) if dataclasses.is_dataclass(cls.CONFIG) else ())
        if field.name not in fields and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if missing:
        raise TypeError(f"{cls.__qualname__} is missing its configuration: {', '.join(missing)}")
    return as_config(cls.CONFIG, fields)


class BaseDataFlowFacilitatorObjectContext(LoggingLogger):
    """The inner of the two contexts: what does the work."""

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass


class BaseDataFlowFacilitatorObject(
    BaseDataFlowFacilitatorObjectContext, BaseConfigurable, Entrypoint, metaclass=abc.ABCMeta
):
    """The outer of the two contexts; ``CONTEXT`` is the class of the inner one."""

    CONTEXT: ClassVar[Any] = None

    def __init__(self, config: Any = None, **fields: Any) -> None:
        BaseConfigurable.__init__(self, config, **fields)
        if type(self).CONTEXT is None:
            said = f"{type(self).__qualname__} has no CONTEXT: the class of what a call of it gives"
            raise TidemillError(said, reason="PropertyMissing")

    def __call__(self) -> Any:
        """Return the inner context."""
        return type(self).CONTEXT(BaseConfig(), self)

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self.config!r})"
