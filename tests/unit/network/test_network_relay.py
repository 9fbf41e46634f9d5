"""The relay scripts as they run in a container: loopback in, unix socket out."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.network.relay import (
    INTERPRETERS,
    RELAY_HOST,
    RELAY_PORT,
    SCRIPT_MOUNT,
    SOCKET_MOUNT,
    SOCKET_NAME,
    Interpreter,
    relay_command,
    script_path,
)
from engine.network.variables import proxy_variables
from tests.network_lab import running_lab
from tests.unit.network.test_network_gateway import connect, lab_with

pytestmark = pytest.mark.parametrize("interpreter", INTERPRETERS)


@asynccontextmanager
async def relay(interpreter: Interpreter, path: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A relay to the socket at `path`, and the port it listens on."""
    if shutil.which(interpreter) is None:
        pytest.skip(f"no {interpreter} here")
    port = _free_port()
    command = relay_command(interpreter)
    mounted = {SCRIPT_MOUNT: str(script_path(interpreter)), f"{SOCKET_MOUNT}/{SOCKET_NAME}": str(path)}
    arguments = [mounted.get(word, word) for word in command[:-1]] + [str(port)]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield port, process
    finally:
        if process.returncode is None:
            process.terminate()
        output, _ = await process.communicate()
        assert output == b""
        assert process.returncode == 0


async def test_hundreds_of_connections_at_once(tmp_path: Path, interpreter: Interpreter) -> None:
    async with lab_with(tmp_path, "limited") as lab, relay(interpreter, lab.path) as (port, _):
        await asyncio.wait_for(lab.gateway.reached.wait(), 20)

        async def one() -> bytes:
            reader, writer = await asyncio.open_connection(RELAY_HOST, port)
            writer.write(
                f"GET http://allowed.test:{lab.port}/ HTTP/1.1\r\nHost: allowed.test:{lab.port}\r\n\r\n".encode()
            )
            answer = await reader.read()
            writer.close()
            return answer

        answers = await asyncio.gather(*(one() for _ in range(300)))
        assert all(b"REACHED 127.0.1.10" in answer for answer in answers)


async def test_large_transfers_and_half_closed_connections(tmp_path: Path, interpreter: Interpreter) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = await reader.read()
        writer.write(got)
        writer.close()

    data = os.urandom(1024) * 4096
    async with lab_with(tmp_path, "full") as lab, relay(interpreter, lab.path) as (port, _):
        await asyncio.wait_for(lab.gateway.reached.wait(), 20)
        server = await asyncio.start_server(echo, "127.0.1.10", 0)
        reader, writer = await asyncio.open_connection(RELAY_HOST, port)
        writer.write(connect(f"allowed.test:{server.sockets[0].getsockname()[1]}"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        writer.close()
        server.close()
        await server.wait_closed()


async def test_without_a_gateway_connections_are_closed(tmp_path: Path, interpreter: Interpreter) -> None:
    async with running_lab(tmp_path) as lab, relay(interpreter, lab.path) as (port, process):
        await asyncio.wait_for(lab.gateway.reached.wait(), 20)
        await lab.gateway.close()
        reader, writer = await asyncio.open_connection(RELAY_HOST, port)
        assert await reader.read() == b""
        writer.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_it_ends_with_its_parent(tmp_path: Path, interpreter: Interpreter) -> None:
    async with running_lab(tmp_path) as lab:
        port = _free_port()
        words = [str(script_path(interpreter)), str(lab.path), RELAY_HOST, str(port)]
        start = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", start, interpreter, *words, stdin=subprocess.PIPE
        )
        await asyncio.wait_for(lab.gateway.reached.wait(), 20)
        parent.kill()
        await parent.communicate()
        while _listens(port):  # noqa: ASYNC110 (another process, which says nothing)
            await asyncio.sleep(0.05)


def test_the_variables_lead_to_the_relay(interpreter: Interpreter) -> None:
    variables = proxy_variables("/opt/fetch.cjs", "--title=mine")
    for name in ("HTTP_PROXY", "https_proxy", "npm_config_proxy", "YARN_HTTPS_PROXY"):
        assert variables[name] == f"http://{RELAY_HOST}:{RELAY_PORT}"
    assert variables["NODE_OPTIONS"] == "--require=/opt/fetch.cjs --title=mine"
    assert proxy_variables("/opt/fetch.cjs")["NODE_OPTIONS"] == "--require=/opt/fetch.cjs"
    assert f"-Dhttps.proxyPort={RELAY_PORT}" in variables["GRADLE_OPTS"]
    assert relay_command(interpreter)[-2:] == [RELAY_HOST, str(RELAY_PORT)]


def _free_port() -> int:
    with socket.create_server((RELAY_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((RELAY_HOST, port)) == 0
