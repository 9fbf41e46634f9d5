"""The certificate authorities this machine trusts beyond the usual ones, for images made here (SPEC E8, N8)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
)
_DISTRIBUTED = Path("/usr/share/ca-certificates")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def extra_certificates(bundles: Iterable[Path] | None = None, distributed: Path = _DISTRIBUTED) -> dict[str, str]:
    """Name to PEM text of every authority this machine trusts that does not come with its `ca-certificates` package.

    Looked for in the system's bundle and in `SSL_CERT_FILE`. Where the distribution does not keep its own
    authorities in single files, all of the bundle is returned. The names depend on the content only.
    """
    if bundles is None:
        named = os.environ.get("SSL_CERT_FILE", "")
        bundles = [*_BUNDLES, *([Path(named)] if named else [])]
    trusted: set[bytes] = set()
    for bundle in bundles:
        trusted |= _certificates(bundle)
    usual: set[bytes] = set()
    for file in distributed.rglob("*.crt"):
        usual |= _certificates(file)
    return {f"host-{hashlib.sha256(der).hexdigest()[:16]}.crt": _pem(der) for der in sorted(trusted - usual)}


def _certificates(file: Path) -> set[bytes]:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return set()
    found = set()
    for body in _PEM.findall(text):
        try:
            found.add(base64.b64decode("".join(body.split()), validate=True))
        except binascii.Error:
            continue
    return found


def _pem(der: bytes) -> str:
    body = base64.b64encode(der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
