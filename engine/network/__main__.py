"""`python -m engine.network --policy FILE --port N|--socket PATH`: a gateway alone, one JSON line a request.

FILE is TOML: `mode`, `allow`, `deny`, `methods`, `inspect`. The port is one of 127.0.0.1; 0 is a free one, which is
printed. A policy with
`inspect = true` needs `--ca FOLDER`, where a certificate authority is kept, or made; programs have to trust the
certificate in it. The proxies of this host's environment are used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from engine.errors import EngineError, NetworkError, UsageError
from engine.network.gateway import Gateway, RequestRecord
from engine.network.policy import Policy, make_policy
from engine.network.proxies import host_proxies

if TYPE_CHECKING:
    from engine.network.certificates import Authority

_BACKLOG = 1024
_LISTS = frozenset({"allow", "deny", "methods"})
_KEYS = _LISTS | {"mode", "inspect"}


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        UsageError: it cannot be read, or holds something else than a policy.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise UsageError(f"{path}: {fault}", f"write {', '.join(sorted(_KEYS))} in TOML") from None
    if unknown := sorted(table.keys() - _KEYS):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}", f"known keys: {', '.join(sorted(_KEYS))}")
    for key in _LISTS & table.keys():
        if not isinstance(table[key], list) or not all(isinstance(entry, str) for entry in table[key]):
            raise UsageError(f"{path}: {key} is not a list of strings")
    if not isinstance(table.get("inspect", False), bool):
        raise UsageError(f"{path}: inspect is neither true nor false")
    return make_policy(
        table.get("mode", "limited"),
        allow=table.get("allow", ()),
        deny=table.get("deny", ()),
        methods=table.get("methods"),
        inspect=table.get("inspect", False),
    )


async def serve(policy: Policy, listener: socket.socket, *, authority: Authority | None = None) -> None:
    """Run a gateway on `listener` until SIGINT or SIGTERM."""
    gateway = Gateway(policy, on_request=_print, authority=authority, proxies=host_proxies(os.environ))
    address = listener.getsockname()
    print(json.dumps({"listening": address if isinstance(address, str) else address[1]}), flush=True)
    await gateway.start_on(listener)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await gateway.close()


def _authority(folder: Path | None) -> Authority | None:
    if folder is None:
        return None
    from engine.network.certificates import load_authority

    return load_authority(folder)


def _loopback(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    except OSError as fault:
        raise NetworkError(f"cannot listen on 127.0.0.1:{port}: {fault.strerror}", "choose another port") from None


def _unix(path: Path) -> socket.socket:
    """A socket that only this user can connect to."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        raise NetworkError(f"cannot listen on {path}: {fault.strerror or fault}", "choose another path") from None
    return listener


def _print(record: RequestRecord) -> None:
    print(json.dumps(asdict(record)), flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m engine.network", description=__doc__)
    parser.add_argument("--policy", type=Path, required=True, help="TOML file with mode, allow, deny, methods, inspect")
    parser.add_argument("--ca", type=Path, help="folder of the certificate authority, for a policy that inspects")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="port of 127.0.0.1 to listen on, 0 for a free one")
    where.add_argument("--socket", type=Path, metavar="PATH", help="unix socket to listen on")
    options = parser.parse_args()
    try:
        policy, authority = load_policy(options.policy), _authority(options.ca)
        if policy.inspect and authority is None:
            raise UsageError("a policy with inspect needs a certificate authority", "add --ca FOLDER")
        listener = _unix(options.socket) if options.socket else _loopback(options.port)
        try:
            asyncio.run(serve(policy, listener, authority=authority))
        finally:
            if options.socket:
                options.socket.unlink(missing_ok=True)
    except EngineError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
