"""A server for real clients: git, a package index each for pip and npm, an apt archive, a model that follows a script, and
an echo; all of it TLS.

Run as `python -m tests.docker.https_server FOLDER`: it serves FOLDER, listens on port 443 of its network namespace,
appends every request to FOLDER/requests.jsonl, and ends when its standard input does. Nothing is ever refused here:
what a client is told "403" about was refused on the way.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from engine.network.certificates import load_authority


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    folder: Path
    lock = threading.Lock()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        record = {
            "host": self.headers.get("Host", ""),
            "method": self.command,
            "path": self.path,
            "headers": self.headers.items(),
        }
        with self.lock, (self.folder / "requests.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
        path, _, query = self.path.partition("?")
        model = self.folder / "model"
        if path.startswith("/git/"):
            self._git(path.removeprefix("/git"), query, body)
        elif path.startswith("/npm/") and self.command == "GET":
            self._answer(200, json.dumps(self._npm()).encode(), "application/json")
        elif path == "/v1/messages" and model.is_dir():
            answered = sum(message["role"] == "assistant" for message in json.loads(body)["messages"])
            self._answer(200, (model / f"{answered}.sse").read_bytes(), "text/event-stream")
        elif path.startswith("/files/"):
            file = self.folder / "files" / path.removeprefix("/files/") / ("index.html" if path.endswith("/") else "")
            inside = file.resolve().is_relative_to(self.folder / "files") and file.is_file()
            kind = "text/html" if file.suffix == ".html" else "application/octet-stream"
            self._answer(200 if inside else 404, file.read_bytes() if inside else b"", kind)
        else:
            self._answer(200, f"reached {self.command}\n".encode(), "text/plain")

    do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET

    def _npm(self) -> dict[str, Any]:
        """What the npm registry says about its one package."""
        version = {
            "name": "lab-package",
            "version": "1.0.0",
            "dist": {
                "tarball": f"https://{self.headers['Host']}/files/lab-package-1.0.0.tgz",
                "integrity": f"sha512-{base64.b64encode(bytes.fromhex(self._sha512())).decode()}",
            },
        }
        return {"name": "lab-package", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    def _sha512(self) -> str:
        import hashlib

        return hashlib.sha512((self.folder / "files" / "lab-package-1.0.0.tgz").read_bytes()).hexdigest()

    def _git(self, path: str, query: str, body: bytes) -> None:
        """git's own server program, by the rules of CGI."""
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.folder / "git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(fields.get("Status", "200")[:3]), content, fields["Content-Type"])

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed: the requests are in the log."""


class Server(ThreadingHTTPServer):
    """TLS with a certificate for whatever name the client asks for."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        authority = load_authority(folder / "ca")
        self._context = authority.server_context("unnamed.example")
        self._context.sni_callback = self._named
        self._authority = authority
        super().__init__(("0.0.0.0", 443), type("Bound", (Handler,), {"folder": folder.resolve()}))

    def _named(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name:
            tls.context = self._authority.server_context(name)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that one slow handshake holds nobody up."""
        try:
            with self._context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)
        except OSError:
            # Clients that do not trust the certificate, or leave: what the tests look for is in the log.
            return


def main() -> None:
    """Serve until standard input ends."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = Server(Path(sys.argv[1]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
