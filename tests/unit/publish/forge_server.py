"""A forge on loopback: git over HTTP with a password, and the API of one kind, which takes requests as published only.

Whatever is not as the forge's documentation has it (path, method, header, parameter, field) is answered with an error
and listed in `faults`.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "forge-token-QZXJ5512"
USER, PASSWORD = "me", "pw-KVWM7781"
_LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

# By method and path: parameters, or fields as (name, type, required).
_TEXT, _FLAG = (str,), (bool,)
SHAPES: dict[str, list[tuple[str, str, dict[str, tuple[type, ...]], set[str]]]] = {
    "github": [
        ("GET", r"/api/v3/repos/me/app/pulls", dict.fromkeys(("state", "head", "base", "sort", "direction", "per_page", "page"), _TEXT), set()),
        ("POST", r"/api/v3/repos/me/app/pulls",
         {"title": _TEXT, "head": _TEXT, "base": _TEXT, "body": _TEXT, "draft": _FLAG, "maintainer_can_modify": _FLAG}, {"title", "head", "base"}),
        ("PATCH", r"/api/v3/repos/me/app/pulls/\d+", {"title": _TEXT, "body": _TEXT, "state": _TEXT, "base": _TEXT}, set()),
    ],
    "gitlab": [
        ("GET", r"/api/v4/projects/me%2Fapp/merge_requests", dict.fromkeys(("state", "source_branch", "target_branch", "page", "per_page"), _TEXT), set()),
        ("POST", r"/api/v4/projects/me%2Fapp/merge_requests",
         {"source_branch": _TEXT, "target_branch": _TEXT, "title": _TEXT, "description": _TEXT}, {"source_branch", "target_branch", "title"}),
        ("PUT", r"/api/v4/projects/me%2Fapp/merge_requests/\d+", {"title": _TEXT, "description": _TEXT, "target_branch": _TEXT}, set()),
    ],
    "gitea": [
        ("GET", r"/api/v1/repos/me/app/pulls", dict.fromkeys(("state", "sort", "page", "limit"), _TEXT), set()),
        ("POST", r"/api/v1/repos/me/app/pulls", {"head": _TEXT, "base": _TEXT, "title": _TEXT, "body": _TEXT}, {"head", "base", "title"}),
        ("PATCH", r"/api/v1/repos/me/app/pulls/\d+", {"title": _TEXT, "body": _TEXT, "base": _TEXT}, set()),
    ],
}  # fmt: skip
_VALUES = {
    "state": {"github": {"open", "closed", "all"}, "gitlab": {"opened", "closed"}, "gitea": {"open", "closed", "all"}},
    "sort": {
        "github": {"created", "updated"},
        "gitea": {"oldest", "recentupdate", "leastupdate", "mostcomment", "leastcomment", "priority"},
    },
}


class ForgeServer(ThreadingHTTPServer):
    """A forge of one kind with the repository `me/app`."""

    daemon_threads = True

    def __init__(self, kind: str, repositories: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind, self.repositories = kind, repositories
        self.open: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.without_token: list[str] = []
        self.answer: tuple[int, dict[str, Any]] | None = None
        self.first_find_is_empty = False

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The git URL of its repository."""
        return f"{self.root}/me/app.git"


class _Handler(BaseHTTPRequestHandler):
    server: ForgeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_PUT = do_GET

    def _answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = self._chunks()
        if self.path.startswith("/me/app.git/"):
            self._git(data)
            return
        status, told = self._api(data)
        self._send(status, json.dumps(told).encode(), "application/json")

    # git over HTTP

    def _git(self, data: bytes) -> None:
        if self.headers["Authorization"] != _LOGIN:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        parts = urlsplit(self.path)
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.repositories), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": parts.path,
            "REMOTE_USER": USER, "REQUEST_METHOD": self.command, "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(data)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "PATH": "/usr/bin:/bin",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=data, env=variables, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        self._send(status, body, headers.get("Content-Type", "text/plain"))

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    # The API

    def _api(self, data: bytes) -> tuple[int, Any]:
        parts, kind = urlsplit(self.path), self.server.kind
        if "Authorization" not in self.headers and "PRIVATE-TOKEN" not in self.headers:
            self.server.without_token.append(parts.path)
            return self._probed(parts.path)
        self.server.asked.append(f"{self.command} {parts.path}")
        wanted = {"github": "Bearer", "gitlab": "Bearer", "gitea": "token"}[kind]
        if self.headers["Authorization"] != f"{wanted} {TOKEN}":
            return 401, {"message": f"Bad credentials: {self.headers['Authorization']}"}
        if self.server.answer:
            return self.server.answer
        fault = self._fault(parts.path, parts.query, data)
        if fault:
            self.server.faults.append(f"{self.command} {self.path}: {fault}")
            return 422, {"message": "Validation Failed", "errors": [{"message": fault}]}
        if self.command == "GET":
            return 200, self._found(dict(parse_qsl(parts.query)))
        return self._opened(json.loads(data)) if self.command == "POST" else self._changed(parts.path, json.loads(data))

    def _probed(self, path: str) -> tuple[int, Any]:
        kind = self.server.kind
        if kind == "github" and path == "/api/v3/meta":
            return 200, {"installed_version": "3.12.0"}
        if kind == "gitlab" and path == "/api/v4/version":
            return 401, {"message": "401 Unauthorized"}
        if kind == "gitea" and path == "/api/v1/version":
            return 200, {"version": "1.22.1"}
        return 404, {"error": "Not Found"}

    def _fault(self, path: str, query: str, data: bytes) -> str:
        kind = self.server.kind
        if kind == "github":
            if self.headers["Accept"] != "application/vnd.github+json":
                return "Accept"
            if self.headers["X-GitHub-Api-Version"] != "2022-11-28":
                return "X-GitHub-Api-Version"
        if not self.headers["User-Agent"]:
            return "User-Agent"
        shape = next((s for s in SHAPES[kind] if s[0] == self.command and re.fullmatch(s[1], path)), None)
        if shape is None:
            return "no such path"
        if self.command == "GET":
            given: dict[str, Any] = dict(parse_qsl(query, strict_parsing=True))
        else:
            if self.headers["Content-Type"] != "application/json":
                return "Content-Type"
            given = json.loads(data)
        for name, value in given.items():
            if name not in shape[2] or not isinstance(value, shape[2][name]):
                return f"field {name}"
            if name in _VALUES and kind in _VALUES[name] and value not in _VALUES[name][kind]:
                return f"value of {name}"
        missing = shape[3] - set(given)
        return f"missing {sorted(missing)}" if missing else ""

    def _found(self, query: dict[str, str]) -> list[dict[str, Any]]:
        if self.server.first_find_is_empty:
            self.server.first_find_is_empty = False
            return []
        found = self.server.open
        if self.server.kind == "github":
            found = [
                one for one in found if query.get("head", "me:" + one["head"]["ref"]) == "me:" + one["head"]["ref"]
            ]
        if self.server.kind == "gitlab":
            found = [one for one in found if query.get("source_branch", one["source_branch"]) == one["source_branch"]]
        page, limit = int(query.get("page", "1")), int(query.get("limit", "30"))
        return found[(page - 1) * limit : page * limit]

    def _opened(self, data: dict[str, Any]) -> tuple[int, Any]:
        gitlab = self.server.kind == "gitlab"
        head = data["source_branch" if gitlab else "head"]
        if any((one["source_branch"] if gitlab else one["head"]["ref"]) == head for one in self.server.open):
            message = "Another open merge request already exists for this source branch: !1"
            return (
                (409, {"message": [message]})
                if gitlab
                else (422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]})
            )
        number = len(self.server.open) + 12
        one: dict[str, Any] = {"title": data["title"], "draft": data.get("draft", False)}
        if gitlab:
            one |= {"iid": number, "id": 900 + number, "web_url": f"{self.server.root}/me/app/-/merge_requests/{number}",
                    "description": data.get("description", ""), "source_branch": head, "target_branch": data["target_branch"],
                    "source_project_id": 5, "target_project_id": 5}  # fmt: skip
        else:
            one |= {"number": number, "id": 900 + number, "html_url": f"{self.server.root}/me/app/pulls/{number}",
                    "body": data.get("body", ""), "head": {"ref": head, "repo": {"full_name": "me/app"}}, "base": {"ref": data["base"]}}  # fmt: skip
        self.server.open.append(one)
        return 201, one

    def _changed(self, path: str, data: dict[str, Any]) -> tuple[int, Any]:
        gitlab = self.server.kind == "gitlab"
        number = int(path.rsplit("/", 1)[1])
        one = next((o for o in self.server.open if o["iid" if gitlab else "number"] == number), None)
        if one is None:
            return 404, {"message": "Not Found"}
        if "base" in data:
            data = {**data, "base": {"ref": data["base"]}}
        one |= data
        return 201 if self.server.kind == "gitea" else 200, one

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(kind: str, repositories: Path) -> Iterator[ForgeServer]:
    """A forge, for the length of a block; its repository is `me/app.git` below `repositories`."""
    assert unquote("me%2Fapp") == "me/app"
    with ForgeServer(kind, repositories) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
