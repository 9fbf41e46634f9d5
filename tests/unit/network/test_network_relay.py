"""The relay scripts as they run in a container: a listener on loopback, handed to the gateway's socket."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.network.gateway import Gateway
from engine.network.policy import Policy
from engine.network.relay import INTERPRETERS, RELAY_HOST, RELAY_PORT, Interpreter, relay_command
from engine.network.variables import proxy_variables
from tests.network_lab import Lab, running_lab
from tests.relay_lab import free_port, local_relay
from tests.unit.network.test_network_gateway import connect, get, lab_with

each_interpreter = pytest.mark.parametrize("interpreter", INTERPRETERS)


@asynccontextmanager
async def relay(
    interpreter: Interpreter, lab: Lab, port: int = 0
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A relay of the lab's gateway, and the port it listens on."""
    if shutil.which(interpreter) is None:
        pytest.skip(f"no {interpreter} here")
    port = port or free_port()
    words = local_relay(interpreter, lab.path, port)
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        await asyncio.wait_for(lab.gateway.reached.wait(), 20)
        yield port, process
    finally:
        if process.returncode is None:
            process.kill()
        output, _ = await process.communicate()
        assert output == b""


async def ask(port: int, request: bytes) -> bytes:
    """All that comes back to `request`; ConnectionRefusedError when nobody listens."""
    reader, writer = await asyncio.open_connection(RELAY_HOST, port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


def send(path: Path, *descriptors: int) -> socket.socket:
    """What a relay does to the gateway's socket, with other descriptors."""
    door = socket.socket(socket.AF_UNIX)
    door.connect(str(path))
    socket.send_fds(door, [b"L"], list(descriptors))
    return door


@each_interpreter
async def test_hundreds_of_connections_at_once(tmp_path: Path, interpreter: Interpreter) -> None:
    async with lab_with(tmp_path, "limited") as lab, relay(interpreter, lab) as (port, _):
        answers = await asyncio.gather(*(ask(port, get(lab, "allowed.test")) for _ in range(300)))
        assert all(b"REACHED 127.0.1.10" in answer for answer in answers)


@each_interpreter
async def test_large_transfers_and_half_closed_connections(tmp_path: Path, interpreter: Interpreter) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = await reader.read()
        writer.write(got)
        writer.close()

    data = os.urandom(1024) * 4096
    async with lab_with(tmp_path, "full") as lab, relay(interpreter, lab) as (port, _):
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


@each_interpreter
async def test_without_a_gateway_nobody_listens_and_the_relay_ends(tmp_path: Path, interpreter: Interpreter) -> None:
    async with running_lab(tmp_path) as lab, relay(interpreter, lab) as (port, process):
        await lab.gateway.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        with pytest.raises(ConnectionRefusedError):
            await ask(port, b"x")


@each_interpreter
async def test_without_its_relay_everything_ends_until_there_is_another(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        async with relay(interpreter, lab) as (port, process):
            reader, writer = await asyncio.open_connection(RELAY_HOST, port)
            writer.write(connect(f"allowed.test:{lab.port}"))
            await reader.readuntil(b"\r\n\r\n")
            process.kill()
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
            (record,) = await lab.settled(1)
            assert (record.decision, record.reason) == ("allowed", "cut: the relay ended")
            assert not lab.gateway.reached.is_set()
            with pytest.raises(ConnectionRefusedError):
                await ask(port, b"x")
        async with relay(interpreter, lab, port):
            assert b"REACHED 127.0.1.10" in await ask(port, get(lab, "allowed.test"))
            assert b"403 Forbidden" in await ask(port, get(lab, "evil.test"))


@each_interpreter
async def test_a_relay_that_cannot_listen_ends(tmp_path: Path, interpreter: Interpreter) -> None:
    async with running_lab(tmp_path) as lab, relay("python3", lab) as (port, _):
        process = await asyncio.create_subprocess_exec(*local_relay(interpreter, lab.path, port))
        assert await asyncio.wait_for(process.wait(), 20) == 1


async def test_what_is_no_listener_on_loopback_is_not_served(tmp_path: Path) -> None:
    datagrams, idle, everywhere = socket.socket(type=socket.SOCK_DGRAM), socket.socket(), socket.create_server(("", 0))
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(tmp_path / "other"))
    local.listen()
    with datagrams, idle, everywhere, local, (tmp_path / "file").open("w") as file:
        async with running_lab(tmp_path) as lab:
            for offered in (datagrams, idle, everywhere, local, file):
                with send(lab.path, offered.fileno()) as door:
                    assert await asyncio.to_thread(door.recv, 1) == b""
            with send(lab.path) as door:
                assert await asyncio.to_thread(door.recv, 1) == b""
            assert not lab.gateway.reached.is_set()


def test_a_relay_that_makes_the_listener_block_cannot_keep_a_gateway_from_closing(tmp_path: Path) -> None:
    """It has the same open file as the gateway, and sets its flags: the event loop then waits in accept(2)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    (tmp_path / "private").mkdir(mode=0o700)
    path = tmp_path / "private" / "socket" / "gateway.sock"

    async def started() -> Gateway:
        gateway = Gateway(Policy("off"))
        await gateway.start(path)
        return gateway

    gateway = asyncio.run_coroutine_threadsafe(started(), loop).result(20)
    with socket.create_server((RELAY_HOST, 0)) as listener, send(path, listener.fileno()):
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(gateway.reached.wait(), 20), loop).result()
        os.set_blocking(listener.fileno(), True)
        with socket.create_connection(listener.getsockname()):
            turn = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
            while not concurrent.futures.wait([turn], 0.5).not_done:
                turn = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
            gateway.shut()
            asyncio.run_coroutine_threadsafe(gateway.close(), loop).result(20)
            turn.result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@each_interpreter
def test_the_variables_lead_to_the_relay(interpreter: Interpreter) -> None:
    variables = proxy_variables("/opt/fetch.cjs", "--title=mine")
    for name in ("HTTP_PROXY", "https_proxy", "npm_config_proxy", "YARN_HTTPS_PROXY"):
        assert variables[name] == f"http://{RELAY_HOST}:{RELAY_PORT}"
    assert variables["NODE_OPTIONS"] == "--require=/opt/fetch.cjs --title=mine"
    assert proxy_variables("/opt/fetch.cjs")["NODE_OPTIONS"] == "--require=/opt/fetch.cjs"
    assert f"-Dhttps.proxyPort={RELAY_PORT}" in variables["GRADLE_OPTS"]
    assert relay_command(interpreter)[-2:] == [RELAY_HOST, str(RELAY_PORT)]
