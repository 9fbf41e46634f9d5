"""Other proxies that `tests/bench/gateway.py` compares with, where they are installed: squid and mitmproxy."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.relay_lab import free_port

CERTGEN = "/usr/lib/squid/security_file_certgen"
"""Of Debian's squid-openssl; its plain squid cannot look into TLS."""

SQUID = """http_port 127.0.0.1:{port} {options}
acl all_ports port 1-65535
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
coredump_dir {folder}
"""
BUMP = """sslcrtd_program {certgen} -s {folder}/certificates -M 4MB
tls_outgoing_options cafile={folder}/servers.pem
acl first at_step SslBump1
ssl_bump peek first
ssl_bump bump all
"""


@contextlib.contextmanager
def peers(authority: Path, servers: Path) -> Iterator[dict[str, int]]:
    """The ports of the proxies that are installed, by name; others are said to be missing.

    Args:
        authority: key and certificate they sign with where they look into TLS.
        servers: certificate of the authority they trust.
    """
    path = f"{os.environ['PATH']}:/usr/sbin"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # squid leaves root for a user of its own, who has to find its files.
        folder.chmod(0o711)
        shutil.copy(authority, folder / "mitmproxy-ca.pem")
        shutil.copy(servers, folder / "servers.pem")
        ports = {}
        for name, start in (("squid", _squid), ("mitmdump", _mitmdump)):
            program = shutil.which(name, path=path)
            if program is None:
                print(f"{name}: not installed")
                continue
            for kind in ("spliced", "inspected"):
                port = ports[f"{name} {kind}"] = free_port()
                words = start(program, folder, port, inspect=kind == "inspected")
                process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.DEVNULL))
                stack.callback(process.kill)
                _wait_for(port, process)
        yield ports


def _squid(program: str, folder: Path, port: int, *, inspect: bool) -> list[str]:
    options, more = "", ""
    if inspect:
        subprocess.run([CERTGEN, "-c", "-s", folder / "certificates", "-M", "4MB"], check=True, capture_output=True)
        more = BUMP.format(certgen=CERTGEN, folder=folder)
        options = f"ssl-bump tls-cert={folder}/mitmproxy-ca.pem generate-host-certificates=on"
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "proxy", folder / "certificates"], check=True)
    path = folder / f"squid-{port}.conf"
    path.write_text(SQUID.format(port=port, options=options, folder=folder) + more)
    return [program, "-N", "-n", f"bench{port}", "-f", str(path)]


def _mitmdump(program: str, folder: Path, port: int, *, inspect: bool) -> list[str]:
    settings = {
        "confdir": folder,
        "ssl_verify_upstream_trusted_ca": folder / "servers.pem",
        "stream_large_bodies": "1m",
        "listen_host": "127.0.0.1",
        "listen_port": port,
    }
    words = [program, "-q", *(word for name, value in settings.items() for word in ("--set", f"{name}={value}"))]
    return words if inspect else [*words, "--ignore-hosts", ".*"]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"{process.args}: does not listen")
