"""A process of a cluster over HTTP: /livez, /readyz and /metrics.

`/livez` fails when the process should be started anew, `/readyz` when it does not do all it should, and both say why. A
store that is away for a while is no reason to start anew: a new process would not find it sooner. Workers and the
operator serve this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["Health"]

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Health:
    """Serves while it is entered. ``live`` and ``ready`` return what is wrong, ``metrics`` the text of all metrics."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Callable[[], list[str]],
        ready: Callable[[], list[str]],
        metrics: Callable[[], bytes],
    ) -> None:
        self._host = host
        self._wanted = port
        self.port = -1
        app = web.Application()
        app.router.add_get("/livez", _answering(live))
        app.router.add_get("/readyz", _answering(ready))
        app.router.add_get("/metrics", _text(metrics))
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Health:
        if self._wanted >= 0:
            await self._runner.setup()
            await web.TCPSite(self._runner, self._host, self._wanted).start()
            self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()


def _answering(problems: Callable[[], list[str]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        found = problems()
        return web.Response(status=503 if found else 200, text="\n".join(found or ["ok"]) + "\n")

    return answer


def _text(metrics: Callable[[], bytes]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return answer
