"""`python -m engine.network --policy FILE (--socket PATH | --port N)`: a gateway alone, one JSON line a request.

FILE is TOML: `mode`, `allow`, `deny`, `methods`. `--port` listens on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.errors import EngineError, NetworkError, UsageError
from engine.network.gateway import Gateway, RequestRecord
from engine.network.policy import Policy, make_policy

_KEYS = frozenset({"mode", "allow", "deny", "methods"})


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        UsageError: it cannot be read, or holds something else than a policy.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        raise UsageError(f"{path}: {fault}", "write mode, allow, deny and methods in TOML") from None
    if unknown := sorted(table.keys() - _KEYS):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}", f"known keys: {', '.join(sorted(_KEYS))}")
    for key in _KEYS & table.keys() - {"mode"}:
        if not isinstance(table[key], list) or not all(isinstance(entry, str) for entry in table[key]):
            raise UsageError(f"{path}: {key} is not a list of strings")
    return make_policy(
        table.get("mode", "limited"),
        allow=table.get("allow", ()),
        deny=table.get("deny", ()),
        methods=table.get("methods"),
    )


async def serve(policy: Policy, *, path: Path | None, port: int | None) -> None:
    """Run a gateway until SIGINT or SIGTERM."""
    gateway = Gateway(policy, on_request=_print)
    if path is not None:
        await gateway.start(path)
    else:
        await gateway.start_on(_loopback(port or 0))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await gateway.close()


def _loopback(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as fault:
        listener.close()
        raise NetworkError(f"cannot listen on 127.0.0.1:{port}: {fault.strerror}", "choose another port") from None
    return listener


def _print(record: RequestRecord) -> None:
    print(json.dumps(asdict(record)), flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m engine.network", description=__doc__)
    parser.add_argument("--policy", type=Path, required=True, help="TOML file with mode, allow, deny, methods")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="unix socket to listen on")
    where.add_argument("--port", type=int, help="port of 127.0.0.1 to listen on")
    options = parser.parse_args()
    try:
        asyncio.run(serve(load_policy(options.policy), path=options.socket, port=options.port))
    except EngineError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
