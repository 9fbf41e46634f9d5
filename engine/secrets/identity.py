"""The user's age key, which secrets are encrypted for: fumehood's own, or an SSH key the user names (SPEC S1)."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.state import config_dir, locked, state_dir, write_atomic

VARIABLE = "FUMEHOOD_IDENTITY"


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key file as read: what decrypts (`keys`), what it is encrypted for (`recipients`); both are pyrage's."""

    path: Path
    keys: tuple[Any, ...]
    recipients: tuple[Any, ...]


def path() -> Path:
    """Where the key is: `$FUMEHOOD_IDENTITY` (an age key file or a private SSH key), else fumehood's own file."""
    named = os.environ.get(VARIABLE, "")
    return Path(named).expanduser() if named else config_dir() / "identity.txt"


def read() -> Identity:
    """The key that is there.

    Raises:
        EngineError: it is missing, others can read it, or it is of no kind that age knows.
    """
    where = path()
    try:
        data = read_private(where)
    except FileNotFoundError:
        hint = f"{VARIABLE} names it" if os.environ.get(VARIABLE) else "put it back, or set the secrets again"
        raise EngineError(f"the key of your secrets, {where}, is not there", hint) from None
    if data.startswith(b"-----BEGIN "):
        return _ssh(where, data)
    return _age(where, data)


def read_or_make() -> Identity:
    """As `read`; on first use fumehood's own key is made. A file that the user named is never made.

    Raises:
        EngineError: as `read`.
    """
    where = path()
    if not os.environ.get(VARIABLE) and not where.exists():
        with locked(state_dir() / "locks" / "identity.lock"):
            if not where.exists():
                _make(where)
    return read()


def read_private(where: Path) -> bytes:
    """The content of a file that must be this user's alone; a wider mode is refused, not mended (SECURITY-CASES S08).

    Raises:
        EngineError: somebody else may read or change it; FileNotFoundError: it is not there.
    """
    try:
        with where.open("rb") as file:
            check_private(where, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EngineError(f"cannot read {where}: {error.strerror}", "check its owner and its mode") from error


def check_private(where: Path, status: os.stat_result) -> None:
    """Refuse a file or folder that is not this user's alone.

    Raises:
        EngineError: it is somebody else's, or its mode lets others in.
    """
    if status.st_uid != os.getuid():
        raise EngineError(f"{where} belongs to another user", "secrets are read from files of your own only")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        right = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise EngineError(
            f"{where} is open to other users (mode {mode:o})",
            f"if nobody can have used that: chmod {right} {where}; else remove it and set the secrets again",
        )


def _make(where: Path) -> None:
    from pyrage import x25519  # type: ignore[import-untyped]

    key = x25519.Identity.generate()
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_atomic(where, f"# created: {made}\n# public key: {key.to_public()}\n{key}\n")


def _age(where: Path, data: bytes) -> Identity:
    import pyrage

    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    try:
        keys = tuple(pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#"))
    except pyrage.IdentityError:
        keys = ()
    if not keys:
        raise EngineError(
            f"{where} is not a key that age can use", "it takes an age key file, or a private SSH key (ed25519 or RSA)"
        )
    return Identity(where, keys, tuple(key.to_public() for key in keys))


def _ssh(where: Path, data: bytes) -> Identity:
    import pyrage

    public = where.with_name(f"{where.name}.pub")
    try:
        key = pyrage.ssh.Identity.from_buffer(data)
        recipient = pyrage.ssh.Recipient.from_str(public.read_text().strip())
    except OSError as error:
        raise EngineError(f"cannot read {public}: {error.strerror}", "the public half is needed too") from error
    except (pyrage.IdentityError, pyrage.RecipientError, UnicodeDecodeError) as error:
        raise EngineError(
            f"the SSH key {where} cannot be used: {error}",
            f"secrets take an ed25519 or RSA key without a passphrase; without {VARIABLE} fumehood makes its own key",
        ) from None
    return Identity(where, (key,), (recipient,))
