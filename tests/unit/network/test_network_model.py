"""The way to a model: its rules whatever the mode, its budget, and a model that is served on this machine (SPEC N5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

from engine.network.credentials import make_credential
from engine.network.model import Budget, LocalModel
from engine.network.policy import ModelRules, Policy, make_policy
from engine.network.rules import parse_rules
from tests.network_lab import Lab, client_hello, running_lab

HOST = "model.test.internal"


@asynccontextmanager
async def served(folder: Path, mode: Literal["limited", "full"], requests: int = 100) -> AsyncIterator[tuple[Lab, int]]:
    """A gateway whose local model tells what it was asked; gives the lab and the model's port."""

    served = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with suppress(OSError):
            seen = await reader.read(4096)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(seen), seen))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credential = make_credential([f"{HOST}:{port}"], b"Bearer key", header="Authorization", drops=["X-Api-Key"])
    model = ModelRules(parse_rules([f"POST ={HOST}:{port}/v1/*"], inspect=True))
    options = {"budget": Budget(requests), "local": LocalModel(HOST, "127.0.0.1", port, (credential,))}
    async with server:
        async with running_lab(folder, Policy(mode, model=model, methods=frozenset({"GET"})), **options) as lab:
            yield lab, port
        await asyncio.gather(*served)


def request(port: int, path: str = "/v1/chat", method: str = "POST", host: str = HOST) -> bytes:
    head = f"{method} http://{host}:{port}{path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer mine\r\nX-Api-Key: mine\r\n"
    return f"{head}Content-Length: 2\r\n\r\nhi".encode()


@pytest.mark.parametrize("mode", ["limited", "full"])
async def test_a_model_on_this_machine_gets_its_own_name_and_the_key(
    tmp_path: Path, mode: Literal["limited", "full"]
) -> None:
    async with served(tmp_path, mode) as (lab, port):
        answer = await lab.ask(request(port))
        assert f"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode() in answer
        assert b"Authorization: Bearer key" in answer
        assert b"mine" not in answer
        # The same through a tunnel, as some clients send plain requests too.
        tunnel = f"CONNECT {HOST}:{port} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        inner = f"POST /v1/chat HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: 2\r\n\r\nhi".encode()
        assert f"Host: 127.0.0.1:{port}\r\n".encode() in await lab.ask(tunnel, inner)
        assert [r.rule for r in await lab.settled(2)] == [f"POST ={HOST}:{port}/v1/*"] * 2


@pytest.mark.parametrize("mode", ["limited", "full"])
async def test_nothing_else_of_this_machine_is_reached(tmp_path: Path, mode: Literal["limited", "full"]) -> None:
    async with served(tmp_path, mode) as (lab, port):
        refused = [
            request(port, "/other"),
            request(port, "/v1/../other"),
            request(port, method="GET").replace(b"Content-Length: 2\r\n\r\nhi", b"\r\n"),
            request(port, host="127.0.0.1"),
            request(port, host="localhost"),
            request(lab.port),
            request(port, host="sub." + HOST),
        ]
        for sent in refused:
            assert (await lab.ask(sent)).split(b" ", 2)[1] in (b"403", b"502"), sent
        tunnel = f"CONNECT {HOST}:{port} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        for inside in (client_hello(HOST), b"\x00anything", b"GET /other HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode()):
            assert b"anything" not in await lab.ask(tunnel, inside)
        assert not [r for r in lab.records if r.decision == "allowed" and r.bytes_up]


async def test_one_request_too_many_is_answered_with_429(tmp_path: Path) -> None:
    async with served(tmp_path, "limited", requests=2) as (lab, port):
        answers = [await lab.ask(request(port)) for _ in range(4)]
        assert [answer.split(b" ", 2)[1] for answer in answers] == [b"200", b"200", b"429", b"429"]
        assert b"used up" in answers[2]
        records = await lab.settled(4)
        assert [r.decision for r in records] == ["allowed", "allowed", "denied", "denied"]
        assert records[2].bytes_up == 0


def test_what_is_refused_is_no_request_of_the_budget() -> None:
    budget = Budget(1)
    budget.take()
    assert not budget.spent


def test_only_the_denylist_beats_the_way_to_a_model() -> None:
    model = ModelRules(parse_rules(["POST =api.x.org:443/v1/*"], inspect=True))
    for policy in (
        Policy("limited", model=model),
        Policy("full", model=model, inspect=True),
        Policy("full", model=model, methods=frozenset({"GET"})),
    ):
        assert policy.decide("api.x.org", 443, "POST", "/v1/m").allowed
        assert policy.decide("api.x.org", 443, None).allowed
        assert not policy.decide("api.x.org", 443, "POST", "/files").allowed
        assert not policy.decide("api.x.org", 443, "GET", "/v1/m").allowed
        assert policy.checks_tunnel("api.x.org", 443)
    denied = Policy("full", model=model, deny=make_policy("full", deny=["x.org"]).deny)
    assert not denied.decide("api.x.org", 443, "POST", "/v1/m").allowed
    assert not Policy("off", model=model).decide("api.x.org", 443, "POST", "/v1/m").allowed
