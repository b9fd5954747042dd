"""Settings of a worker: what `environment` reads of ``TIDEMILL_…`` and arguments."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from tidemill.formats.environment import PREFIX, ProcessSettings, Words

__all__ = ["PREFIX", "Settings"]


def _runners(said: Mapping[str, Any]) -> int:
    return 1 if said.get("once") else os.cpu_count() or 1


class Settings(ProcessSettings):
    """How a worker works. Times are in seconds."""

    durability: Literal["always", "fast", "none"] = Field("always", description="what survives the death of the store")
    threshold: int = Field(
        64 * 1024, description="bytes of a value above which it is stored beside its context", ge=1024
    )
    elsewhere: str = Field("", description="URL of where such values go, if not into the store: file:///…, s3://…")
    prefix: str = Field("tm", description="what the names of keys in the store begin with", min_length=1)
    loads: bool = Field(True, description="whether it loads the functions of the store; on a cluster the operator does")
    pool: str = Field("default", description="whose operations are run", min_length=1)
    name: str = Field(default_factory=socket.gethostname, description="what the id of the worker begins with")
    once: bool = Field(False, description="run one parameter set, and end; there is one runner then")
    idle: float = Field(60.0, description="without anything to run after which a worker for one ends", gt=0)
    runners: int = Field(default_factory=_runners, description="processes that run operations", ge=1)
    slots: int = Field(64, description="parameter sets that a runner runs at once", ge=1)
    operations: Words = Field([], description="operations that have to be there before the worker is ready")
    lease: float = Field(30.0, description="silence after which a worker is held to be dead", gt=0, le=3600)
    grace: float = Field(30.0, description="what runs may take as long to end after SIGTERM", ge=0)
    timeout: float = Field(10.0, description="after which a reply of the store counts as lost", gt=0)
    memory: int | None = Field(None, description="bytes that the worker may have (default: those of its cgroup)", ge=1)
    host: str = Field("0.0.0.0", description="address of the health endpoints")
    port: int = Field(8080, description="port of the health endpoints; 0: any, -1: none", ge=-1, le=65535)
    patience: float = Field(120.0, description="without a reply of the store after which /livez fails", gt=0)

    @model_validator(mode="after")
    def _alone(self) -> Settings:
        if self.once and self.runners != 1:
            said = (
                f"TIDEMILL_ONCE or --once is for one parameter set, and TIDEMILL_RUNNERS or --runners is {self.runners}"
            )
            raise ValueError(f"{said}; leave that out")
        return self

    @property
    def beat(self) -> float:
        """Seconds between two beats."""
        return self.lease / 6

    @property
    def margin(self) -> float:
        """Seconds before the end of its lease at which a worker ends itself."""
        return max(min(2.0, self.lease / 4), self.lease / 10)
