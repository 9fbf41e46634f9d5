"""The container engine's HTTP API over its local socket: the calls that a task makes, typed.

The docker SDK does what people wait for anyway (pull, build, import); importing it costs 0.1 s, half of a whole start,
and its calls a multiple of these. Paths carry no version: every engine answers them in its newest one.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from typing import IO, Any
from urllib.parse import urlencode

from engine.errors import ContainerError

_READ_SIZE = 1 << 17
_HEAD_LIMIT = 1 << 16

Record = dict[str, Any]


class Refused(ContainerError):
    """The engine answered with an error: its HTTP `status` and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Stream:
    """The two-way connection of a running process: raw bytes, both ways."""

    def __init__(self, connection: socket.socket, already: bytes) -> None:
        self.connection = connection
        self.already = already

    def close(self) -> None:
        """Hang up; the process goes on."""
        self.connection.close()


class Api:
    """A container engine. One connection a call: any thread may call at any time.

    Args:
        address: path of a unix socket, or a pair of host and port.
        timeout: seconds that a call may take without a byte of answer.
    """

    def __init__(self, address: str | tuple[str, int], timeout: float = 120.0) -> None:
        self.address = address
        self._timeout = timeout

    # Containers

    def create(self, name: str, config: Record) -> str:
        """POST /containers/create: the new container's id."""
        return str(self._json("POST", "/containers/create", {"name": name}, config)["Id"])

    def start(self, container: str) -> None:
        """POST /containers/ID/start."""
        self._json("POST", f"/containers/{container}/start")

    def restart(self, container: str) -> None:
        """POST /containers/ID/restart, without a time of grace."""
        self._json("POST", f"/containers/{container}/restart", {"t": "0"})

    def kill(self, container: str) -> None:
        """POST /containers/ID/kill."""
        self._json("POST", f"/containers/{container}/kill")

    def remove(self, container: str) -> None:
        """DELETE /containers/ID, running or not, with its anonymous volumes.

        The engine may answer 500 while its last output is still being written to the folder that goes: asked again, it
        takes the rest away.
        """
        for pause in (0.2, 1.0, 0.0):
            try:
                self._json("DELETE", f"/containers/{container}", {"force": "1", "v": "1"})
                return
            except Refused as error:
                if error.status != 500 or not pause:
                    raise
            time.sleep(pause)

    def inspect(self, container: str, *, size: bool = False) -> Record:
        """GET /containers/ID/json; `size` adds what it has written (`SizeRw`), for which the engine walks its files."""
        found: Record = self._json("GET", f"/containers/{container}/json", {"size": "1"} if size else None)
        return found

    def stats(self, container: str) -> Record:
        """GET /containers/ID/stats: what it uses now; some engines take a second to answer."""
        found: Record = self._json("GET", f"/containers/{container}/stats", {"stream": "0", "one-shot": "1"})
        return found

    def rename(self, container: str, name: str) -> None:
        """POST /containers/ID/rename."""
        self._json("POST", f"/containers/{container}/rename", {"name": name})

    def containers(self, labels: Sequence[str], name: str = "") -> list[Record]:
        """GET /containers/json: those, running or not, that have all these labels (NAME or NAME=VALUE).

        `name`: a regular expression that one of their names (`/NAME`) has to match.
        """
        filters = {"label": list(labels), **({"name": [name]} if name else {})}
        query = {"all": "1", "filters": json.dumps(filters)}
        found: list[Record] = self._json("GET", "/containers/json", query)
        return found

    def commit(self, container: str, repository: str, tag: str, labels: Mapping[str, str], comment: str) -> str:
        """POST /commit: the id of the image made of the container's filesystem; `comment` is the image's alone."""
        query = {"container": container, "repo": repository, "tag": tag, "comment": comment, "pause": "1"}
        return str(self._json("POST", "/commit", query, {"Labels": dict(labels)})["Id"])

    def put_archive(self, container: str, path: str, archive: IO[bytes]) -> None:
        """PUT /containers/ID/archive: unpack a tar below `path`."""
        self._exchange("PUT", f"/containers/{container}/archive", {"path": path}, archive, "application/x-tar")

    def get_archive(self, container: str, path: str, most: int) -> bytes:
        """GET /containers/ID/archive: the file or folder at `path` as a tar of at most `most` bytes."""
        return self._exchange("GET", f"/containers/{container}/archive", {"path": path}, most=most)

    # Processes in containers

    def exec_create(self, container: str, config: Record) -> str:
        """POST /containers/ID/exec: the id of a process that is not started yet."""
        return str(self._json("POST", f"/containers/{container}/exec", {}, config)["Id"])

    def exec_start(self, process: str) -> Stream:
        """POST /exec/ID/start: start it; its output comes framed, its input is what is sent."""
        return self._upgrade(f"/exec/{process}/start", {}, b'{"Detach":false,"Tty":false}')

    def exec_inspect(self, process: str) -> Record:
        """GET /exec/ID/json."""
        found: Record = self._json("GET", f"/exec/{process}/json")
        return found

    def attach(self, container: str) -> Stream:
        """POST /containers/ID/attach: input and output of the container's own process, from now on."""
        query = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"}
        return self._upgrade(f"/containers/{container}/attach", query, b"")

    # Images

    def image(self, name: str) -> Record:
        """GET /images/NAME/json."""
        found: Record = self._json("GET", f"/images/{name}/json")
        return found

    def images(self, filters: Mapping[str, Sequence[str]], *, everything: bool = False) -> list[Record]:
        """GET /images/json; with `everything`, also those that others only stand on."""
        query = {"filters": json.dumps(dict(filters)), **({"all": "1"} if everything else {})}
        found: list[Record] = self._json("GET", "/images/json", query)
        return found

    def pull(self, repository: str, tag: str, credentials: str) -> Generator[Record | None, None, None]:
        """POST /images/create: the engine's messages, see `messages`; `credentials` as X-Registry-Auth takes them."""
        head = {"X-Registry-Auth": credentials} if credentials else {}
        return self._messages("/images/create", {"fromImage": repository, "tag": tag}, head, b"")

    def build(
        self, context: IO[bytes], query: Mapping[str, str], credentials: str
    ) -> Generator[Record | None, None, None]:
        """POST /build: the engine's messages, see `messages`; `credentials` as X-Registry-Config takes them."""
        head = {"Content-Type": "application/x-tar", **({"X-Registry-Config": credentials} if credentials else {})}
        return self._messages("/build", query, head, context)

    def remove_image(self, image: str) -> None:
        """DELETE /images/ID, unless a container uses it."""
        self._json("DELETE", f"/images/{image}")

    # The engine

    def version(self) -> Record:
        """GET /version."""
        found: Record = self._json("GET", "/version")
        return found

    def info(self) -> Record:
        """GET /info."""
        found: Record = self._json("GET", "/info")
        return found

    # HTTP

    def _messages(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | IO[bytes]
    ) -> Generator[Record | None, None, None]:
        from engine.containers.messages import messages

        connection = self._connect()
        try:
            head = {"Connection": "close", "Content-Length": str(_length(body)), **headers}
            # The engine may refuse before it has taken everything; its answer then says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._send(connection, "POST", path, query, head, body)
        except BaseException:
            connection.close()
            raise
        return messages(connection)

    def _json(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Record | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self._exchange(method, path, query or {}, data)
        return json.loads(answer) if answer else None

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | IO[bytes] | None = None,
        content_type: str = "application/json",
        most: int = sys.maxsize,
    ) -> bytes:
        """One request and its whole answer.

        Raises:
            Refused: the engine answered with an error, or with more than `most` bytes.
            OSError: it cannot be reached or went away.
        """
        with closing(self._connect()) as connection:
            head = {"Connection": "close"}
            if body is not None:
                head |= {"Content-Type": content_type, "Content-Length": str(_length(body))}
            self._send(connection, method, path, query, head, body)
            status, headers, already = _read_head(connection)
            data = _read_body(connection, headers, already, most)
        if status >= 400:
            raise Refused(status, _message(data))
        return data

    def _upgrade(self, path: str, query: Mapping[str, str], body: bytes) -> Stream:
        connection = self._connect()
        try:
            head = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}
            head["Content-Length"] = str(len(body))
            self._send(connection, "POST", path, query, head, body)
            status, headers, already = _read_head(connection)
            if status >= 400:
                raise Refused(status, _message(_read_body(connection, headers, already)))
            return Stream(connection, already)
        except BaseException:
            connection.close()
            raise

    def _connect(self) -> socket.socket:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._timeout)
            connection.connect(self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    def _send(
        self,
        connection: socket.socket,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None,
    ) -> None:
        target = f"{path}?{urlencode(query)}" if query else path
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in headers.items())]
        head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        if body is None or isinstance(body, bytes):
            connection.sendall(head + (body or b""))
            return
        connection.sendall(head)
        while chunk := body.read(_READ_SIZE):
            connection.sendall(chunk)


def _length(body: bytes | IO[bytes]) -> int:
    if isinstance(body, bytes):
        return len(body)
    here = body.tell()
    size = body.seek(0, 2) - here
    body.seek(here)
    return size


def _read_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case, and what came after them."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(_READ_SIZE)
        if not more or len(data) > _HEAD_LIMIT:
            raise ConnectionError("the container engine hung up")
        data += more
    head, _, already = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, already


def _read_body(connection: socket.socket, headers: Mapping[str, str], already: bytes, most: int = sys.maxsize) -> bytes:
    """The whole body; the connection is closed after it, so its end is the end of the stream or its length."""
    length = int(headers.get("content-length", -1))
    parts, size = [already], len(already)
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    while size != length:
        more = connection.recv(_READ_SIZE)
        if not more:
            break
        parts.append(more)
        size += len(more)
        if size > most:
            raise Refused(413, f"it is larger than {most >> 20} MiB")
    data = b"".join(parts)
    if length > len(data):
        raise ConnectionError("the container engine hung up in the middle of an answer")
    return _unchunked(data) if chunked else data


def _unchunked(data: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        end = data.find(b"\r\n", position)
        if end < 0:
            raise ConnectionError("the container engine hung up in the middle of an answer")
        size = int(data[position:end].split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        if end + 2 + size > len(data):
            raise ConnectionError("the container engine hung up in the middle of an answer")
        parts.append(data[end + 2 : end + 2 + size])
        position = end + 2 + size + 2


def _message(data: bytes) -> str:
    text = data.decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text[:500] or "the container engine gave no reason"
