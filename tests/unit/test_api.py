"""The engine's HTTP API: answers however they are framed, errors in the engine's words, no byte lost on an upgrade."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.containers.api import Api, Refused
from engine.containers.endpoint import candidates, connect, translated
from engine.containers.execution import pump
from engine.errors import ContainerError, DockerUnavailable

Serve = Callable[..., Api]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """An engine that answers the next requests with these bytes, each once."""
    threads: list[threading.Thread] = []

    def start(*answers: bytes) -> Api:
        path = tmp_path / f"{len(threads)}.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen(1)

        def once(answer: bytes) -> None:
            with server.accept()[0] as connection:
                connection.settimeout(5)
                received = b""
                while b"\r\n\r\n" not in received:
                    received += connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        def each() -> None:
            with server:
                for answer in answers:
                    once(answer)

        thread = threading.Thread(target=each)
        thread.start()
        threads.append(thread)
        return Api(str(path), timeout=5)

    yield start
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"Id":"a"}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"Id\r\n6\r\n":"a"}\r\n0\r\n\r\n',
        b'HTTP/1.0 200 OK\r\n\r\n{"Id":"a"}',
    ],
)
def test_answers_in_every_framing(serve: Serve, answer: bytes) -> None:
    assert serve(answer).image("x") == {"Id": "a"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"Id":"a"}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n44\r\n{"Id":"a"}',
    ],
)
def test_an_answer_cut_short_is_an_error_that_says_so(serve: Serve, answer: bytes) -> None:
    with pytest.raises(ContainerError, match="asking: the container engine went away"), translated("asking"):
        serve(answer).image("x")


def test_an_error_is_told_in_the_engines_words(serve: Serve) -> None:
    api = serve(b'HTTP/1.1 409 Conflict\r\nContent-Length: 21\r\n\r\n{"message":"in use"}\n')
    with pytest.raises(Refused, match="in use") as refused:
        api.start("x")
    assert refused.value.status == 409


def test_a_removal_that_meets_the_last_output_is_asked_for_again(serve: Serve) -> None:
    busy = b'HTTP/1.1 500 Error\r\nContent-Length: 33\r\n\r\n{"message":"directory not empty"}'
    gone = b"HTTP/1.1 204 No Content\r\n\r\n"
    serve(busy, gone).remove("x")
    with pytest.raises(Refused, match="directory not empty"):
        serve(busy, busy, busy).remove("x")


def test_output_that_comes_with_the_head_of_an_upgrade_is_not_lost(serve: Serve) -> None:
    frame = b"\x01\0\0\0\0\0\0\x05hello"
    stream = serve(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n" + frame).exec_start("x")
    got: list[tuple[str, bytes]] = []
    assert pump(stream, b"", lambda name, data: got.append((name, data)))
    stream.close()
    assert got == [("out", b"hello")]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=50)), max_size=8), st.integers(1, 9))
def test_frames_are_put_together_however_they_are_cut(frames: list[tuple[int, bytes]], step: int) -> None:
    from engine.containers.execution import _Frames

    raw = b"".join(bytes([number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for number, data in frames)
    got = {"out": b"", "err": b""}
    reader = _Frames(lambda name, data: got.__setitem__(name, got[name] + data))
    for start in range(0, len(raw), step):
        reader.feed(raw[start : start + step])
    assert got["out"] == b"".join(data for number, data in frames if number == 1)
    assert got["err"] == b"".join(data for number, data in frames if number == 2)


def test_a_tar_of_files_and_folders() -> None:
    """Not compressed, so that the engine runs no decompressor (SECURITY-CASES G12)."""
    import tarfile

    from engine.containers.container import tarfile_of

    with tarfile_of({"/a/": (b"", 0o1777), "/a/b": (b"content", 0o600)}) as spool:
        members = tarfile.open(fileobj=io.BytesIO(spool.read()), mode="r:").getmembers()  # noqa: SIM115 - in memory
    assert [(m.name, m.mode, m.isdir()) for m in members] == [("a", 0o1777, True), ("a/b", 0o600, False)]


def test_a_named_engine_is_the_only_one_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert [endpoint.origin for endpoint in candidates()] == ["DOCKER_HOST"]
    with pytest.raises(DockerUnavailable, match=r"none\.sock"):
        connect()


@pytest.mark.parametrize("url", ["ssh://box", "npipe:////./pipe/docker_engine", "tcp://box", "nonsense"])
def test_an_engine_out_of_reach_of_the_gateway_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(DockerUnavailable, match="cannot be used"):
        connect()


def test_dockers_current_context_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import hashlib
    import json

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    name = hashlib.sha256(b"box").hexdigest()
    meta = tmp_path / "contexts" / "meta" / name / "meta.json"
    meta.parent.mkdir(parents=True)
    host = f"unix://{tmp_path}/engine.sock"
    meta.write_text(
        json.dumps({"Name": "box", "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}})
    )
    (tmp_path / "config.json").write_text('{"currentContext": "box"}')
    assert [(e.url, e.origin) for e in candidates()] == [(host, "docker context")]
    monkeypatch.setenv("DOCKER_CONTEXT", "missing")
    with pytest.raises(DockerUnavailable, match="'missing' does not exist"):
        candidates()
