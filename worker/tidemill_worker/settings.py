"""Settings of a worker: from the environment (``TIDEMILL_LEASE=30``) and from arguments (``--lease 30``), which win.

A setting that is wrong is named, with its value and with what was expected, before anything is started.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from tidemill.errors import TidemillError, did_you_mean

__all__ = ["PREFIX", "Settings"]

PREFIX = "TIDEMILL_"
"""What the names of variables begin with."""


def _words(value: Any) -> Any:
    return [word for word in value.replace(",", " ").split() if word] if isinstance(value, str) else value


class Settings(BaseModel):
    """How a worker works. Times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    store: SecretStr = Field(SecretStr("redis://127.0.0.1:6379"), description="URL of the store")
    durability: Literal["always", "fast", "none"] = Field("always", description="what survives the death of the store")
    threshold: int = Field(
        64 * 1024, description="bytes of a value above which it is stored beside its context", ge=1024
    )
    elsewhere: str = Field("", description="URL of where such values go, if not into the store: file:///…, s3://…")
    prefix: str = Field("tm", description="what the names of keys in the store begin with", min_length=1)
    pool: str = Field("default", description="whose operations are run", min_length=1)
    name: str = Field(default_factory=socket.gethostname, description="what the id of the worker begins with")
    runners: int = Field(default_factory=lambda: os.cpu_count() or 1, description="processes that run operations", ge=1)
    slots: int = Field(64, description="parameter sets that a runner runs at once", ge=1)
    operations: Annotated[list[str], BeforeValidator(_words)] = Field(
        [], description="operations that have to be there before the worker is ready"
    )
    lease: float = Field(30.0, description="silence after which a worker is held to be dead", gt=0, le=3600)
    grace: float = Field(30.0, description="what runs may take as long to end after SIGTERM", ge=0)
    timeout: float = Field(10.0, description="after which a reply of the store counts as lost", gt=0)
    memory: int | None = Field(None, description="bytes that the worker may have (default: those of its cgroup)", ge=1)
    host: str = Field("0.0.0.0", description="address of the health endpoints")
    port: int = Field(8080, description="port of the health endpoints; 0: any, -1: none", ge=-1, le=65535)
    patience: float = Field(120.0, description="without a reply of the store after which /livez fails", gt=0)

    @property
    def beat(self) -> float:
        """Seconds between two beats."""
        return self.lease / 6

    @property
    def margin(self) -> float:
        """Seconds before the end of its lease at which a worker ends itself."""
        return max(min(2.0, self.lease / 4), self.lease / 10)

    @classmethod
    def read(cls, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> Settings:
        """Return the settings that the environment and arguments say. Raises `TidemillError` (InvalidSetting)."""
        said: dict[str, Any] = {
            name: value for name in cls.model_fields if (value := environment.get(PREFIX + name.upper()))
        }
        said.update(_arguments(arguments, list(cls.model_fields)))
        try:
            return cls(**said)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0])
            shown = "***" if name == "store" else repr(first["input"])
            wrong = f"{PREFIX}{name.upper()} or --{name} is {shown}: {first['msg']}"
            raise TidemillError(wrong, reason="InvalidSetting", path=name) from None


def _arguments(arguments: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            said = f'"{word}" is no argument {did_you_mean(name, known)}'
            raise TidemillError(said, reason="InvalidSetting", path=name)
        if not equals and not left:
            raise TidemillError(f"{word} needs a value", reason="InvalidSetting", path=name)
        found[name] = value if equals else left.pop(0)
    return found
