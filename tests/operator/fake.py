"""An API server in this process, as far as the operator has to do with one: objects, versions, watches, finalizers.

What it does not do (schemas, defaults, garbage collection, rights) is tried against a real one. Every request is in its
``log``, and ``refuse`` may answer one with a status of its choice.
"""

import asyncio
import contextlib
import copy
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from tidemill_operator.cluster import Cluster
from tidemill_operator.kinds.crd import KINDS, REVISION
from tidemill_operator.names import label

__all__ = ["FakeAPI", "fake_api"]

PATH = re.compile(
    r"^/(?:apis/(?P<group>[^/]+)|api)/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale))?$"
)
SERVED = {
    "": {
        "v1": {
            "configmaps": "ConfigMap",
            "events": "Event",
            "pods": "Pod",
            "namespaces": "Namespace",
            "secrets": "Secret",
        }
    },
    "apps": {"v1": {"deployments": "Deployment"}},
    "batch": {"v1": {"jobs": "Job"}},
    "coordination.k8s.io": {"v1": {"leases": "Lease"}},
    "tidemill.alt": {"v1alpha1": {"dataflows": "DataFlow", "dataflowruns": "DataFlowRun"}},
    "apiextensions.k8s.io": {"v1": {"customresourcedefinitions": "CustomResourceDefinition"}},
}
Key = tuple[str, str, str]


class FakeAPI:
    """Objects by (plural, namespace, name)."""

    def __init__(self) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.log: list[tuple[str, str, Any]] = []
        self.refuse: Callable[[str, str], int | None] = lambda verb, path: None
        self.raw: dict[Key, bytes] = {}
        self.deaf: set[str] = set()
        self.users: dict[str, str] = {}
        self.allow: Callable[[str, dict[str, str]], bool] = lambda user, asked: True
        self._version = 0
        self._events: list[tuple[int, str, str, dict[str, Any]]] = []
        self._changed = asyncio.Condition()
        for kind in KINDS:
            annotations = {label("schema-revision"): str(REVISION)}
            self.put("customresourcedefinitions", {"metadata": {"name": kind.name, "annotations": annotations}})

    # -- for tests ----------------------------------------------------------------------------------------------------

    def put(self, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have an object be there, as whoever applies it would."""
        metadata = body["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        made = copy.deepcopy(body)
        if key in self.objects:
            old = self.objects[key]
            made = {**old, **made, "metadata": {**old["metadata"], **made["metadata"]}}
            if made.get("spec") != old.get("spec"):
                made["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            self._write(key, made, "MODIFIED")
        else:
            self._create(key, made)
        return self.objects[key]

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object, as somebody would."""
        self._delete((plural, namespace, name))

    def get(self, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object."""
        return self.objects.get((plural, namespace, name))

    def writes(self, part: str = "") -> list[tuple[str, str, Any]]:
        """Return the requests that write something whose path has this part, but for those of Leases."""
        return [one for one in self.log if one[0] != "GET" and part in one[1] and "/leases" not in one[1]]

    # -- objects ------------------------------------------------------------------------------------------------------

    def _create(self, key: Key, made: dict[str, Any]) -> None:
        made["metadata"].setdefault("uid", str(uuid.uuid4()))
        made["metadata"].update(generation=1, creationTimestamp=_now())
        self._write(key, made, "ADDED")

    def _write(self, key: Key, made: dict[str, Any], event: str) -> None:
        self._version += 1
        made["metadata"]["resourceVersion"] = str(self._version)
        gone = made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers")
        if gone or event == "DELETED":
            self.objects.pop(key, None)
            event = "DELETED"
        else:
            self.objects[key] = made
        self._events.append((self._version, key[0], event, copy.deepcopy(made)))
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _delete(self, key: Key) -> None:
        made = copy.deepcopy(self.objects[key])
        if made["metadata"].get("finalizers"):
            made["metadata"].setdefault("deletionTimestamp", _now())
            self._write(key, made, "MODIFIED")
        else:
            self._write(key, made, "DELETED")

    # -- requests -----------------------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        body = json.loads(await request.read() or b"null")
        self.log.append((request.method, request.path, body))
        status = self.refuse(request.method, request.path)
        if status is not None:
            return _failure(status, "Refused" if status != 409 else "Conflict", "refused by the test")
        if request.path.endswith("reviews"):
            return web.json_response(self._reviewed(request.path, body), status=201)
        found = PATH.match(request.path)
        if found is None or found["plural"] not in SERVED.get(found["group"] or "", {}).get(found["version"], {}):
            return _discovery(request.path)
        key = (found["plural"], found["namespace"] or "", found["name"] or "")
        if request.method == "GET":
            return await self._read(request, key)
        try:
            return web.json_response(self._changed_by(request, key, found["sub"], body))
        except _Refused as error:
            return _failure(error.status, error.reason, f"{request.method} {request.path}: {error.reason}")

    def _reviewed(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Say who has a token, or whether somebody may do something."""
        spec = body["spec"]
        if path.endswith("tokenreviews"):
            name = self.users.get(spec["token"])
            user = {"user": {"username": name, "groups": ["system:authenticated"]}} if name else {}
            status = {"authenticated": bool(name), **user, "audiences": spec.get("audiences", [])}
        else:
            status = {"allowed": self.allow(spec["user"], spec["resourceAttributes"])}
        return {**body, "status": status}

    async def _read(self, request: web.Request, key: Key) -> web.StreamResponse:
        bare = "PartialObjectMetadata" in request.headers.get("Accept", "")
        if key[2]:
            if key in self.raw and not bare:
                return web.Response(body=self.raw[key], content_type="application/json")
            found = self.objects.get(key)
            return web.json_response(_shown(found, bare)) if found else _failure(404, "NotFound", str(key))
        if request.query.get("watch") == "true":
            return await self._watch(request, key)
        if bare and "PartialObjectMetadataList" not in request.headers["Accept"]:
            return _failure(406, "NotAcceptable", "a list has another name")
        items = [
            _shown(one, bare) for other, one in sorted(self.objects.items()) if self._wanted(request, key, other, one)
        ]
        kind = "PartialObjectMetadataList" if bare else "List"
        listed = {"kind": kind, "metadata": {"resourceVersion": str(self._version)}, "items": items or None}
        return web.json_response(listed)

    def _wanted(self, request: web.Request, key: Key, other: Key, one: dict[str, Any]) -> bool:
        labels = one["metadata"].get("labels") or {}
        pairs = [part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part]
        field = request.query.get("fieldSelector", "")
        return (
            other[0] == key[0]
            and (not key[1] or other[1] == key[1])
            and all(labels.get(name) == value for name, value in pairs)
            and (not field or field == f"metadata.name={other[2]}")
        )

    async def _watch(self, request: web.Request, key: Key) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # who watched has gone
            await self._tell_of(request, key, response)
        return response

    async def _tell_of(self, request: web.Request, key: Key, response: web.StreamResponse) -> None:
        since = int(request.query.get("resourceVersion") or 0)
        while True:
            for version, plural, event, one in list(self._events):
                place = (plural, one["metadata"].get("namespace", ""), one["metadata"]["name"])
                if version > since and plural == key[0] and self._wanted(request, key, place, one):
                    if plural not in self.deaf:
                        line = {"type": event, "object": _shown(one, True)}
                        await response.write(json.dumps(line).encode() + b"\n")
                since = max(since, version)
            async with self._changed:
                while self._version <= since:
                    await self._changed.wait()

    def _changed_by(self, request: web.Request, key: Key, sub: str | None, body: Any) -> dict[str, Any]:
        if request.method == "POST":
            key = (key[0], key[1], body["metadata"]["name"])
            if key in self.objects:
                raise _Refused(409, "AlreadyExists")
            self._create(key, body)
            return self.objects[key]
        applied = request.headers.get("Content-Type", "").startswith("application/apply-patch")
        old = self.objects.get(key)
        if old is None and applied:
            self._create(key, body)
            return self.objects[key]
        if old is None:
            raise _Refused(404, "NotFound")
        if request.method == "DELETE":
            if ((body or {}).get("preconditions") or {}).get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
                raise _Refused(409, "Conflict")
            self._delete(key)
            return {"kind": "Status", "status": "Success"}
        said = (body.get("metadata") or {}).items()
        if any(old["metadata"][name] != value for name, value in said if name in ("uid", "resourceVersion") and value):
            raise _Refused(409, "Conflict")
        return self._updated(key, old, sub, body if request.method == "PUT" else _merged(old, body))

    def _updated(self, key: Key, old: dict[str, Any], sub: str | None, wanted: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(wanted)
        kept = {name: old["metadata"][name] for name in ("uid", "resourceVersion", "generation", "creationTimestamp")}
        made["metadata"] = {**(old["metadata"] if sub else made["metadata"]), **kept}
        if sub == "status":
            made["spec"] = old.get("spec")
        elif "status" in old:
            made["status"] = old["status"]
        if made.get("spec") != old.get("spec"):
            made["metadata"]["generation"] += 1
        if made != old:
            self._write(key, made, "MODIFIED")
        return made


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(one: dict[str, Any], bare: bool) -> dict[str, Any]:
    if not bare:
        return one
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": one["metadata"]}


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    made = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name), value)
    return made


def _failure(status: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
    return web.json_response(body, status=status)


def _discovery(path: str) -> web.Response:
    parts = path.strip("/").split("/")
    if path == "/api":
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
    if path == "/apis":
        groups = [
            {"name": group, "preferredVersion": {"version": version}, "versions": [{"version": version}]}
            for group, versions in SERVED.items()
            for version in versions
            if group
        ]
        return web.json_response({"kind": "APIGroupList", "groups": groups})
    group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else (parts[1:3] + ["", ""])[:2]
    plurals = SERVED.get(group, {}).get(version)
    if plurals is None:
        return _failure(404, "NotFound", path)
    found = [
        {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": True, "verbs": ["list", "watch"]}
        for plural, kind in plurals.items()
    ]
    return web.json_response({"kind": "APIResourceList", "resources": found})


@asynccontextmanager
async def fake_api() -> AsyncIterator[tuple[FakeAPI, Cluster]]:
    """Give an API server, and a client of it."""
    api = FakeAPI()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    cluster = Cluster(configuration, request=10)
    try:
        yield api, cluster
    finally:
        await cluster.close()
        await runner.cleanup()
