"""Settings of the HTTP API: what `tidemill.formats.environment` reads of ``TIDEMILL_…`` and arguments."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tidemill.formats.environment import ProcessSettings, Words

__all__ = ["ApiSettings"]


class ApiSettings(ProcessSettings):
    """How the HTTP API works. Times are in seconds, sizes in bytes."""

    durability: Literal["always", "fast", "none"] = Field("always", description="what survives the death of the store")
    elsewhere: str = Field("", description="URL of where large values go, if not into the store: file:///…, s3://…")
    timeout: float = Field(5.0, description="after which a reply of the store counts as lost", gt=0)
    kubeconfig: str = Field("", description="a file that says how to reach the API server (default: as in a pod)")
    request: float = Field(15.0, description="after which a request to the API server counts as lost", gt=0)
    namespaces: Words = Field([], description="namespaces whose data flows are served (default: all)")
    audiences: Words = Field([], description="audiences that a token has to be for (default: those of the API server)")

    host: str = Field("0.0.0.0", description="address that is listened at")
    port: int = Field(8443, description="port of the API; 0: any", ge=0, le=65535)
    health_port: int = Field(8080, description="port of /livez, /readyz and /metrics; 0: any", ge=0, le=65535)
    certificate: str = Field("", description="a file with the certificate of the server; without one: no TLS")
    key: str = Field("", description="a file with its key")

    line: int = Field(1024 * 1024, description="bytes of one input set", ge=1024)
    body_timeout: float = Field(30.0, description="that a client may be silent within a request", gt=0)
    rate: float = Field(50.0, description="requests a second that one user may make", gt=0)
    burst: int = Field(100, description="requests that one user may make at once", ge=1)
    streams: int = Field(200, description="responses that last (events, results) at once", ge=1)
    connections: int = Field(2000, description="connections at once", ge=1)
    remembered: float = Field(10.0, description="for which an answer about rights is used again", ge=0, le=300)
