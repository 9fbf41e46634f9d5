"""serve: the workbench in a browser (SPEC W10)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import signal
from collections.abc import Coroutine

from engine.errors import EngineError
from tui.commands.output import print_json, progress, say


def serve(options: argparse.Namespace) -> int:
    """Serve until interrupted; the link is the only thing on standard output."""
    from tui.serve.access import address

    host = address(options.host)
    try:
        from tui.serve.server import Server
    except ModuleNotFoundError as error:
        raise EngineError(
            f"serving the workbench needs {error.name}, which is not installed", 'pip install "fumehood[serve]"'
        ) from error
    chosen = [name for name in ("--no-watch", "--low-bandwidth") if getattr(options, name[2:].replace("-", "_"))]
    server = Server(host, options.port, chosen)

    def tell(link: str) -> None:
        if options.json:
            print_json({"v": 1, "url": link})
        else:
            say(link)

    progress("a link counts once; enter prints another, ctrl-c ends (tasks go on)")
    if not ipaddress.ip_address(host).is_loopback:
        progress(f"{host} can be reached from other machines, and nothing is encrypted: prefer 127.0.0.1 and ssh -L")
    asyncio.run(_until_told_to_end(server.serve(tell)))
    return 0


async def _until_told_to_end(serving: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(serving)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
