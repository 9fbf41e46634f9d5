"""What is told of pulls and builds: few lines with figures, from messages as the engine sends them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.containers.disk import RESERVE, tight
from engine.containers.messages import messages
from engine.containers.progress import UNPACKED, Layers, Pace, Steps

PULL = """
{"status":"Pulling from library/debian","id":"bookworm"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bbb"}
{"status":"Already exists","progressDetail":{},"id":"ccc"}
{"status":"Waiting","progressDetail":{},"id":"bbb"}
{"status":"Downloading","progressDetail":{"current":1000000,"total":4000000},"progress":"[=>  ]","id":"aaa"}
{"status":"Downloading","progressDetail":{"current":2000000,"total":2000000},"progress":"[==>]","id":"bbb"}
{"status":"Verifying Checksum","progressDetail":{},"id":"bbb"}
{"status":"Download complete","progressDetail":{},"id":"bbb"}
{"status":"Download complete","progressDetail":{},"id":"aaa"}
{"status":"Extracting","progressDetail":{"current":1000000,"total":4000000},"progress":"[=>  ]","id":"aaa"}
{"status":"Pull complete","progressDetail":{},"id":"aaa"}
{"status":"Extracting","progressDetail":{"current":2000000,"total":2000000},"progress":"[==>]","id":"bbb"}
{"status":"Pull complete","progressDetail":{},"id":"bbb"}
{"status":"Digest: sha256:123"}
{"status":"Status: Downloaded newer image for debian:bookworm"}
"""


def test_a_pull_in_figures() -> None:
    layers = Layers()
    told: list[tuple[str, int]] = []
    for line in PULL.strip().splitlines():
        layers.feed(json.loads(line))
        if not told or told[-1] != (str(layers), layers.needed):
            told.append((str(layers), layers.needed))
    unpacked = UNPACKED * 1_000_000
    assert told == [
        ("asking the registry", 0),
        ("1 layers", 0),
        ("2 layers", 0),
        ("0 of 2 layers, 1.0 MB of at least 4.0 MB", 3_000_000 + 4 * unpacked),
        ("0 of 2 layers, 3.0 MB of 6.0 MB", 3_000_000 + 6 * unpacked),
        ("0 of 2 layers, 6.0 MB of 6.0 MB", 6 * unpacked),
        ("0 of 2 layers, 6.0 MB of 6.0 MB", 5 * unpacked),
        ("1 of 2 layers, 6.0 MB of 6.0 MB", 2 * unpacked),
        ("1 of 2 layers, 6.0 MB of 6.0 MB", 0),
        ("2 of 2 layers, 6.0 MB of 6.0 MB", 0),
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["Downloading", "Extracting", "Pull complete", "Waiting", "?"]),
                "id": st.sampled_from(["a", "b", ""]),
                "progressDetail": st.one_of(
                    st.none(),
                    st.fixed_dictionaries({}, optional={"current": st.integers(0, 9), "total": st.integers(0, 9)}),
                ),
            },
        )
    )
)
def test_any_order_of_messages_gives_a_line(sent: list[dict[str, Any]]) -> None:
    layers = Layers()
    for message in sent:
        layers.feed(message)
        assert str(layers)


def test_a_line_a_second_and_never_the_same_twice() -> None:
    told: list[str] = []
    pace = Pace(told.append, seconds=3600)
    assert pace.due()
    for line in ("a", "a", "b"):
        pace.say(line)
        assert not pace.due()
    assert told == ["a", "b"]


def test_a_build_in_steps() -> None:
    steps = Steps()
    begun: list[str] = []
    for message in (
        {"stream": "Step 1/3 : FROM base\n"},
        {"stream": " ---> 123\n"},
        {"stream": "Step 2/3 : RUN make\n"},
        {"stream": " ---> Running in 456\n"},
        {"stream": "one\r\ntwo\n"},
        {"stream": "\x1b[91mmake: *** no rule\n\x1b[0m"},
        {"errorDetail": {"code": 2}, "error": "The command '/bin/sh -c make' returned a non-zero code: 2"},
    ):
        begun += steps.feed(message)
    assert begun == ["step 1: FROM base", "step 2: RUN make"]
    assert (steps.step, list(steps.tail)) == ("step 2: RUN make", ["one", "two", "make: *** no rule"])
    assert steps.error.endswith("non-zero code: 2")


def test_the_labels_that_mark_an_image_are_not_told() -> None:
    assert list(Steps().feed({"stream": "Step 3/3 : LABEL fumehood.role=build\n"})) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1), max_size=6), st.integers(1, 60))
def test_messages_are_read_however_they_are_cut(sent: list[dict[str, str]], step: int) -> None:
    body = b"".join(json.dumps(message).encode() + b"\r\n" for message in sent)
    chunks = [body[start : start + step] for start in range(0, len(body), step)]
    framed = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks) + b"0\r\n\r\n"
    assert received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed, step) == sent


def test_an_answer_that_is_an_error_is_one_message() -> None:
    answer = b'HTTP/1.1 404 Not Found\r\nContent-Length: 23\r\n\r\n{"message":"no such x"}\n'
    assert received(answer, 7) == [{"error": "no such x", "status": 404}]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\n",
        b'HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\n{"message"',
    ],
)
def test_an_answer_cut_short_is_an_error(answer: bytes) -> None:
    with pytest.raises(ConnectionError, match="hung up in the middle"):
        received(answer, 50)


def received(answer: bytes, step: int) -> list[dict[str, Any]]:
    """What is read when the engine sends `answer` in pieces and hangs up."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        # The reader may hang up when it has read the last message, before the last bytes of the framing.
        with theirs, suppress(BrokenPipeError):
            for start in range(0, len(answer), step):
                theirs.sendall(answer[start : start + step])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return [message for message in messages(ours) if message is not None]
    finally:
        thread.join()


def test_silence_is_told_and_closing_hangs_up() -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    heard: Iterator[Any] = messages(ours)
    assert next(heard) is None
    theirs.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")
    assert next(heard) == {}
    heard.close()  # type: ignore[attr-defined]
    assert theirs.recv(1) == b""
    theirs.close()


def test_a_snapshot_that_may_not_fit_is_warned_of() -> None:
    assert tight(100, None) == ""
    assert tight(100, 100 + RESERVE) == ""
    assert tight(2_000_000_000, 1_000_000_000).startswith(
        "the snapshot takes 2.0 GB, the container engine's disk has 1.0 GB left; make room: `fumehood cache gc`"
    )
