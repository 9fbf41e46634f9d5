"""What agents do in containers by themselves: a program with an input that goes on (engine.agents.drive)."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from engine.agents.base import Chunk, Exit
from engine.agents.drive import ContainerTerminal
from tests.docker.outlets import laboratory

pytestmark = pytest.mark.docker


def test_an_input_that_goes_on_until_it_ends(tmp_path: Path) -> None:
    async def talk(terminal: ContainerTerminal) -> tuple[bytes, int | None]:
        ours, theirs = socket.socketpair()
        heard, code = b"", None
        with ours, theirs:
            ours.sendall(b"one\n")
            async for item in terminal.run(
                ["bash", "-c", "while read -r x; do echo got $x; done"], stdin=theirs.fileno()
            ):
                match item:
                    case Chunk(data=data):
                        heard += data
                        # Said only when the first was heard.
                        if heard == b"got one\n":
                            ours.sendall(b"two\n")
                            ours.shutdown(socket.SHUT_WR)
                    case Exit():
                        code = item.code
        return heard, code

    with laboratory(tmp_path) as (_, container):
        assert asyncio.run(talk(ContainerTerminal(container, threading.Event()))) == (b"got one\ngot two\n", 0)


def test_much_input_through_a_descriptor_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "much"
    path.write_bytes(bytes(range(256)) * 20_000)

    async def count(terminal: ContainerTerminal, descriptor: int) -> bytes:
        heard = b""
        async for item in terminal.run(["wc", "-c"], stdin=descriptor):
            heard += item.data if isinstance(item, Chunk) else b""
        return heard

    (tmp_path / "repo").mkdir()
    with laboratory(tmp_path / "repo") as (_, container), path.open("rb") as file:
        counted = asyncio.run(count(ContainerTerminal(container, threading.Event()), file.fileno()))
    assert counted.split() == [b"5120000"]


def test_an_input_that_is_empty_ends_at_once(tmp_path: Path) -> None:
    async def cat(terminal: ContainerTerminal, descriptor: int) -> list[Chunk | Exit]:
        return [item async for item in terminal.run(["cat"], stdin=descriptor)]

    with laboratory(tmp_path) as (_, container), Path("/dev/null").open("rb") as file:
        assert asyncio.run(cat(ContainerTerminal(container, threading.Event()), file.fileno())) == [Exit(0)]
