"""Settings of the operator: what `tidemill.formats.environment` reads of ``TIDEMILL_…`` and arguments.

Neighbours: the chart, which sets them; `decide.resources`, which hands some of them on to the workers.
"""

from __future__ import annotations

import socket
from typing import Literal

from pydantic import Field, model_validator

from tidemill.formats.environment import ProcessSettings, Words

__all__ = ["Settings"]


class Settings(ProcessSettings):
    """How the operator works. Times are in seconds."""

    durability: Literal["always", "fast", "none"] = Field("always", description="what survives the death of the store")
    elsewhere: str = Field("", description="URL of where large values go, if not into the store: file:///…, s3://…")
    timeout: float = Field(5.0, description="after which a reply of the store counts as lost", gt=0)
    idle: float = Field(120.0, description="after which connections that nobody uses are closed", gt=0)

    namespaces: Words = Field([], description="namespaces whose objects are looked after")
    clusterwide: bool = Field(False, description="look after the objects of all namespaces")
    kubeconfig: str = Field("", description="a file that says how to reach the API server (default: as in a pod)")
    request: float = Field(30.0, description="after which a request to the API server counts as lost", gt=0)

    namespace: str = Field("default", description="where the operator itself is", min_length=1)
    name: str = Field(default_factory=socket.gethostname, description="of this process, as it signs", min_length=1)
    lease_name: str = Field("tidemill-operator", description="the Lease that lets one operator act", min_length=1)
    lease: float = Field(15.0, description="silence after which another operator takes over", ge=1, le=3600)

    passes: int = Field(8, description="objects that are looked after at once", ge=1, le=256)
    refresh: float = Field(1800.0, description="after which an object is looked at though nothing has happened", gt=0)
    progress: float = Field(2.0, description="between two writes of counts to one object", ge=0.1)
    finalizer_timeout: float = Field(600.0, description="that a store away may keep an object from being deleted", ge=0)
    opened_at_once: int = Field(2000, description="contexts that one pass over an object opens", ge=1)

    url_schemes: Words = Field(["https", "s3", "gs", "azblob"], description="of files of inputs that are fetched")
    url_hosts: Words = Field([], description="hosts and endpoints of such files though their addresses are not public")
    url_bytes: int = Field(64 * 2**20, description="that a file of inputs may have", ge=1)
    url_contexts: int = Field(100_000, description="contexts of one file of inputs", ge=1)
    url_seconds: float = Field(60.0, description="that fetching a file of inputs may take", gt=0)

    worker_image: str = Field(
        "tidemill-worker:latest", description="image of workers whose pool names none", min_length=1
    )
    worker_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="when that image is pulled"
    )
    worker_account: str = Field("default", description="service account of workers; it needs no rights", min_length=1)
    worker_lease: float = Field(30.0, description="silence after which a worker is held to be dead", gt=0, le=3600)
    store_secret: str = Field("tidemill-store", description="Secret with the URL, in each namespace", min_length=1)
    store_secret_key: str = Field("url", description="its key that holds the URL", min_length=1)

    host: str = Field("0.0.0.0", description="address of the health endpoints")
    port: int = Field(8080, description="port of the health endpoints; 0: any, -1: none", ge=-1, le=65535)
    lag: float = Field(5.0, description="that the event loop may be late before /livez fails", gt=0)
    canary: float = Field(180.0, description="that a change of ours may take to be seen before /livez fails", gt=0)
    metrics_of_objects: bool = Field(False, description="metrics have the names of objects as labels")

    @model_validator(mode="after")
    def _somewhere(self) -> Settings:
        if bool(self.namespaces) == self.clusterwide:
            both = "both are" if self.clusterwide else "neither is"
            what = "TIDEMILL_NAMESPACES (a list) or TIDEMILL_CLUSTERWIDE (true) says whose objects are looked after"
            raise ValueError(f"{what}; {both} given")
        return self

    @property
    def renew(self) -> float:
        """Seconds between two renewals of the Lease."""
        return self.lease / 5

    @property
    def renew_within(self) -> float:
        """Seconds without a renewal after which this operator acts no more, before another one may."""
        return self.lease * 2 / 3
