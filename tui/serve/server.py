"""The server of the workbench in a browser (SPEC W10): the page, what it is made of, and a websocket for each page."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from engine.errors import EngineError
from tui.serve import page, session
from tui.serve.access import Access, link

# Seconds between signs of life, and those that a page has to answer that it is closed.
_HEARTBEAT, _CLOSING = 15.0, 1.0


class Server:
    """Serves workbenches on one address, until it is cancelled.

    Args:
        host: the IP address.
        port: 0 for any that is free.
        options: of each workbench.
    """

    def __init__(self, host: str, port: int, options: Sequence[str]) -> None:
        self.host, self.port = host, port
        self._options = options
        self._access = Access(host)
        self._statics = Path(str(files("textual_serve"))) / "static"
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self, say: Callable[[str], None]) -> None:
        """Serve; `say` gets the link, and another one whenever enter is pressed on standard input.

        Raises:
            EngineError: the address or port cannot be had.
        """
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await runner.setup()
        try:
            try:
                site = web.TCPSite(runner, self.host, self.port)
                await site.start()
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError(f"cannot serve on {self.host} port {self.port}: {reason}", "try --port 0") from error
            self.port = runner.addresses[0][1]
            self._tell_links(say)
            await asyncio.Event().wait()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await runner.cleanup()

    def _tell_links(self, say: Callable[[str], None]) -> None:
        say(link(self.host, self.port, self._access.new_token()))
        if not sys.stdin.isatty():
            return
        loop = asyncio.get_running_loop()

        def another() -> None:
            if sys.stdin.readline():
                say(link(self.host, self.port, self._access.new_token()))
            else:
                loop.remove_reader(sys.stdin)

        loop.add_reader(sys.stdin, another)

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        folder = self._access.folder
        application.router.add_get("/", self._enter, allow_head=False)
        application.router.add_get(folder + "/", self._page)
        application.router.add_get(folder + "/ws", self._socket)
        application.router.add_static(folder + "/static", self._statics)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nothing is answered, not even what there is, before it is known who asks."""
        cookie = request.cookies.get(self._access.cookie_name)
        if request.path == "/":
            reason = self._access.foreign(request.headers)
        elif request.path.endswith("/ws"):
            reason = self._access.refuses_socket(request.headers, cookie)
        else:
            reason = self._access.refusal(request.headers, cookie)
        if reason is not None:
            return _refused(reason)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(page.HEADERS)
        return response

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """The token of a link in exchange for a cookie; and on, so that the token is not in the address bar."""
        cookie = self._access.exchange(request.query.get("token", ""))
        if cookie is None:
            return _refused("a link that was used already, or none of this server")
        folder = self._access.folder + "/"
        response = web.Response(status=303, headers={"Location": folder})
        response.set_cookie(self._access.cookie_name, cookie, path=folder, httponly=True, samesite="Strict")
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        socket = f"ws://{request.host}{self._access.folder}/ws"
        return web.Response(text=page.workbench(socket), content_type="text/html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=_CLOSING, heartbeat=_HEARTBEAT, max_msg_size=1 << 20)
        await socket.prepare(request)
        columns = session.cells(request.query.get("width", ""), 80)
        rows = session.cells(request.query.get("height", ""), 24)
        task = asyncio.create_task(session.run(socket, self._options, columns, rows))
        self._running.add(task)
        try:
            await task
        finally:
            self._running.discard(task)
        return socket


def _refused(reason: str) -> web.Response:
    return web.Response(status=403, text=page.refused(reason), content_type="text/html", headers=page.HEADERS)
