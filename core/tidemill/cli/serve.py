"""``tidemill serve``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, backend_options, is_memory
from tidemill.cli.dataflow.words import DffmlCommand, option, several
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP

if TYPE_CHECKING:
    from tidemill.serving.channel import Channel
    from tidemill.serving.limits import ServingLimits
    from tidemill.serving.server import ServerSettings, Serving

__all__ = ["command"]

_CHANNEL = ("path", "input_mode", "output_mode", "asynchronous", "forward_headers")


@click.command(
    cls=DffmlCommand,
    help=paragraphs(
        "Serve data flows over HTTP, until SIGTERM.",
        """A POST with {context: [{"value": …, "definition": …}]} as JSON runs the data flow in these contexts, and is
        answered with {context: result}. Pieces {name} of the path, and the query, are inputs, too. With --asynchronous,
        or the header `Prefer: respond-async`, the answer has the ids of the contexts at once, and
        /contexts/ID?wait=SECONDS has what becomes of each.""",
        """--mc-config serves a folder in DFFML's form: mc/http/NAME.yaml with a path and modes, df/NAME.json, and
        override/NAME.yaml, which is merged over it. /livez, /readyz and /metrics say how the server is.""",
        FLOW_HELP,
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill serve flow.yaml --path /greetings --backend redis://localhost:6379",
        "tidemill serve flow.yaml --path /greet/{name} --output-mode text:request.greeting.0 --backend "
        "redis://localhost:6379",
        "tidemill serve --mc-config served --host 0.0.0.0 --port 8080 --backend redis://localhost:6379",
    ),
)
@click.argument("flow", required=False)
@option("path", help="Where FLOW is served.  [default: /]")
@option(
    "input-mode",
    metavar="MODE",
    help="What a body is: default (contexts as JSON), or json:, text: or bytes:DEFINITION (one input).",
)
@option("output-mode", metavar="MODE", help="What an answer is: json, text:KEYS or bytes:TYPE:KEYS.  [default: json]")
@option("asynchronous", is_flag=True, help="Answer with the ids of the contexts, and run them in the background.")
@option("forward-headers", metavar="DEFINITION", help="The definition that the headers of a request are an input of.")
@option("mc-config", type=click.Path(file_okay=False), metavar="FOLDER", help="Serve what is in there.")
@option("host", "--addr", "-addr", "host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@option("port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 is any that is free.")
@option(
    "health-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="A port of its own for /livez, /readyz and /metrics.",
)
@option("portfile", type=click.Path(dir_okay=False), help="Write the port into this file when it is open.")
@option("cert", type=click.Path(dir_okay=False, exists=True), help="The certificate, for TLS.")
@option("key", type=click.Path(dir_okay=False, exists=True), help="The key of the certificate.")
@option("token-file", type=click.Path(dir_okay=False, exists=True), help="What clients send as their bearer token.")
@several("origin", metavar="ORIGIN…", help="Web pages of these origins may ask, too.")
@option(
    "workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Operations that run at a time in this process; over a store 0 leaves them to workers.",
)
@option("max-body", type=click.IntRange(min=1), metavar="BYTES", help="Bytes of a body.  [default: 1 MiB]")
@option(
    "timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that a request may take.  [default: 60]",
)
@option("max-contexts", type=click.IntRange(min=1), metavar="N", help="Contexts that are open.  [default: 1000]")
@option(
    "retention",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that results in the background are kept.  [default: 3600]",
)
@option(
    "grace",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="S",
    help="Seconds that requests may take to end after SIGTERM.",
)
@option("insecure", is_flag=True, hidden=True, help="As without --cert.")
@option("mc-atomic", is_flag=True, hidden=True, help="As always: data flows are registered when it starts.")
@backend_options(required=False)
@verbosity
def command(flow: str | None, mc_config: str | None, portfile: str | None, **options: Any) -> int:
    """Serve data flows over HTTP, until SIGTERM."""
    set_up_logging()
    _available()
    if options["workers"] == 0 and is_memory(options["backend"]):
        raise click.UsageError("--workers 0 leaves operations to workers of a store, and there is none.")
    if (options["key"] is None) is not (options["cert"] is None):
        raise click.UsageError("--cert and --key go together.")
    channels = _channels(flow, mc_config, options)
    return asyncio.run(_serve(channels, _settings(options), portfile))


def _available() -> None:
    from importlib.util import find_spec

    from tidemill.errors import TidemillError

    missing = [name for name in ("aiohttp", "prometheus_client") if find_spec(name) is None]
    if missing:
        said = f"serving needs the package {missing[0]}, which is not installed: pip install 'tidemill[serve]'"
        raise TidemillError(said, reason="ExtraMissing")


def _channels(flow: str | None, folder: str | None, options: dict[str, Any]) -> list[Channel]:
    from tidemill.cli.given import compiled
    from tidemill.cli.source import open_source, search
    from tidemill.serving.channel import channel_of
    from tidemill.serving.directory import channels_in

    if (flow is None) is (folder is None):
        raise click.UsageError("Serve either FLOW, or --mc-config FOLDER.")
    search(os.getcwd())
    if folder is not None:
        if any(options[name] for name in _CHANNEL):
            raise click.UsageError("With --mc-config, the files in mc/http have paths and modes.")
        search(os.path.abspath(folder))
        return channels_in(folder)
    source = open_source(str(flow))
    compiled(source, options["workers"] != 0)
    said = {name: options[name] for name in _CHANNEL if options[name]}
    return [channel_of({"path": "/", **said}, source.dataflow, where=str(flow), folder=source.folder)]


def _settings(options: dict[str, Any]) -> ServerSettings:
    from tidemill.serving.server import ServerSettings

    names = ("host", "port", "health_port", "cert", "key", "token_file", "backend", "durability", "workers", "grace")
    return ServerSettings(
        **{name: options[name] for name in names}, origins=tuple(options["origin"]), limits=_limits(options)
    )


def _limits(options: dict[str, Any]) -> ServingLimits:
    from tidemill.serving.limits import ServingLimits

    named = {"body": "max_body", "run": "timeout", "open": "max_contexts", "retention": "retention"}
    return ServingLimits(**{name: options[word] for name, word in named.items() if options[word] is not None})


async def _serve(channels: list[Channel], settings: ServerSettings, portfile: str | None) -> int:
    from tidemill.serving.server import serving

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def came(signum: int) -> None:
        if stop.is_set():
            os._exit(128 + signum)
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, came, signum)
    async with contextlib.AsyncExitStack() as stack:
        starting = asyncio.create_task(stack.enter_async_context(serving(channels, settings)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return errors.OK
        server = await starting
        _say(server, channels, settings, portfile)
        await stopping
        if level() >= 0 and server.service.gate.open:
            errors.say(
                f"{server.service.gate.open} contexts may end within {settings.grace:g} s; a second signal ends all"
            )
        await server.drain(settings.grace)
    return errors.OK


def _say(server: Serving, channels: list[Channel], settings: ServerSettings, portfile: str | None) -> None:
    if portfile is not None:
        Path(portfile).write_text(f"{server.port}\n", encoding="utf-8")
    if level() < 0:
        return
    scheme, host = "https" if settings.cert else "http", settings.host
    host = f"[{host}]" if ":" in host else host
    for channel in channels:
        errors.say(f"serving {channel.where} at {scheme}://{host}:{server.port}{channel.path}")
