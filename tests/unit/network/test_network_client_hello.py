"""The server name in a TLS hello, whole and in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.network.client_hello import BadHello, is_tls, server_name
from tests.network_lab import client_hello, made_hello, name_extension, records_of

_HELLO = client_hello("Allowed.Test")


def test_the_name_openssl_sends() -> None:
    assert is_tls(_HELLO)
    assert server_name(_HELLO) == "allowed.test"
    assert server_name(client_hello(None)) == ""
    assert server_name(_HELLO + b"early data") == "allowed.test"


def test_every_cut_waits_for_more() -> None:
    for size in range(len(_HELLO)):
        assert server_name(_HELLO[:size]) is None


@pytest.mark.parametrize("size", [20, 64, 200])
def test_a_hello_in_several_records(size: int) -> None:
    raw = records_of(made_hello(name_extension(b"allowed.test"), (5, b"x" * 400)), size)
    assert server_name(raw) == "allowed.test"
    assert server_name(raw[:-1]) is None


@pytest.mark.parametrize(
    "raw",
    [
        records_of(made_hello(name_extension(b"allowed.test"), (0xFE0D, b"x")), 500),
        records_of(made_hello((0xFFCE, b"x")), 500),
        records_of(made_hello(name_extension(b"allowed.test"), name_extension(b"evil.test")), 500),
        records_of(made_hello(name_extension(b"")), 500),
        records_of(made_hello(name_extension(b"evil.test\0.allowed.test")), 500),
        records_of(made_hello((0, b"\x00\x00")), 500),
        records_of(made_hello((0, b"")), 500),
        records_of(made_hello(name_extension(b"allowed.test")), 1),
        records_of(b"\x02" + made_hello()[1:], 500),
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x17\x03\x01\x00\x05hello",
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    ],
)
def test_hidden_malformed_and_foreign_hellos_are_refused(raw: bytes) -> None:
    with pytest.raises(BadHello):
        server_name(raw)


@given(st.binary(max_size=200), st.integers(0, len(_HELLO) - 1), st.integers(0, 255))
def test_no_bytes_break_the_reader(noise: bytes, position: int, value: int) -> None:
    bent = bytearray(_HELLO)
    bent[position] = value
    for raw in (noise, b"\x16\x03\x01" + noise, bytes(bent)):
        try:
            name = server_name(raw)
        except BadHello:
            continue
        assert name is None or name.isascii()
