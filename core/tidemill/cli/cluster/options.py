"""Which API is asked, as whom, and about what: options that all verbs for a cluster have.

Without ``--api`` kubectl makes a way to it: a forwarded port of the Service, which ends with the command. Neighbours:
`client`, `kubectl`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from tidemill.cli import errors
from tidemill.cli.options import level, set_up_logging
from tidemill.orchestrator.cluster.client import ApiError, Client, Place, connected

__all__ = ["CLUSTER_HELP", "Asked", "asking", "cluster_options", "doing"]

API, TOKEN_FILE = "TIDEMILL_API", "TIDEMILL_TOKEN_FILE"

CLUSTER_HELP = f"""The API is at --api, or {API} in the environment; without one kubectl forwards a port to it. The
token is in --token-file, or in the file that {TOKEN_FILE} names, or is the one of the kubeconfig."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say."""

    namespace: str | None
    api: str | None
    token_file: str | None
    run: bool


def cluster_options(function: _Function) -> _Function:
    """Give a command the options; it is called with ``asked``, an `Asked`."""

    @functools.wraps(function)
    def command(
        *arguments: Any, namespace: str | None, api: str | None, token_file: str | None, run: bool, **more: Any
    ) -> Any:
        return function(*arguments, asked=Asked(namespace, api, token_file, run), **more)

    for option in (
        click.option("--run", is_flag=True, help="NAME is that of a DataFlowRun, not of a DataFlow."),
        click.option("--token-file", envvar=TOKEN_FILE, show_envvar=True, metavar="FILE", help="A file with a token."),
        click.option("--api", envvar=API, show_envvar=True, metavar="URL", help="The URL of the API."),
        click.option("-n", "--namespace", metavar="NAMESPACE", help="The namespace (default: kubectl's)."),
    ):
        command = option(command)
    return cast(_Function, command)


@contextlib.contextmanager
def _place(asked: Asked, name: str) -> Iterator[Place]:
    """Give the place that the options name. Raises `ApiError`."""
    from tidemill.orchestrator.cluster import kubectl

    with contextlib.ExitStack() as stack:
        url = asked.api or stack.enter_context(kubectl.forwarded())
        token = _read(asked.token_file) if asked.token_file else kubectl.token()
        namespace = asked.namespace or kubectl.namespace()
        yield Place(url, token, namespace, "dataflowruns" if asked.run else "dataflows", name)


def _read(path: str) -> str:
    try:
        found = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(f"the token file {path!r} cannot be read: {error}", reason="NoToken", path=path) from None
    if not found or any(char.isspace() for char in found):
        raise ApiError(f"the token file {path!r} holds no token", reason="NoToken", path=path)
    return found


def asking(asked: Asked, name: str, work: Callable[[Client], Awaitable[int]]) -> int:
    """Connect, have ``work`` done, and return its exit code."""
    from tidemill.cli.attended import attended

    set_up_logging()

    async def connected_work(place: Place) -> int:
        async with connected(place) as client:
            return await work(client)

    with _place(asked, name) as place:
        return attended(connected_work(place))


def doing(asked: Asked, name: str, *requests: tuple[tuple[str, ...], str]) -> int:
    """Send requests, each the pieces of a path, and say in a line what was done by it; return the exit code."""

    async def sent(client: Client) -> int:
        for pieces, said in requests:
            await client.post(*pieces)
            if level() >= 0:
                click.echo(said)
        return errors.OK

    return asking(asked, name, sent)
