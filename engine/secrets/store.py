"""The values of secrets on disk: an age file each, for this user alone (SPEC S1).

A file is `$XDG_CONFIG_HOME/fumehood/secrets/ENVIRONMENT-ID/NAME.age`. One file for each secret lets the others stay
encrypted when one is set, listed or removed. Its plaintext names environment and secret before the value, so that
files which changed places are noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, UsageError
from engine.secrets import identity
from engine.secrets.forms import SHORTEST, maskable
from engine.secrets.secret import Secret
from engine.state import config_dir, private_dir, write_atomic

if TYPE_CHECKING:
    from engine.environment.model import Environment

# The kernel takes at most 128 KiB for one `NAME=value`; a file name with ".age" and a temporary suffix 255 bytes.
LONGEST_VALUE = 130_000
_LONGEST_NAME = 200
_SUFFIX = ".age"


class Store:
    """The secrets of one environment.

    Raises:
        EngineError: by every method, when a file or folder is open to others or cannot be read or written.
    """

    def __init__(self, environment: Environment) -> None:
        self.folder = config_dir() / "secrets" / environment.id
        self._environment = environment

    def set(self, name: str, value: bytes) -> str:
        """Encrypt and keep a value in place of an earlier one.

        Returns:
            A warning when the value cannot be masked in logs or found in files, else "" (SECURITY-CASES S07).

        Raises:
            UsageError: the name or the value cannot be those of an environment variable.
        """
        _check(name, value)
        self._check_folders(make=True)
        import pyrage  # type: ignore[import-untyped]

        plain = self._head(name) + value
        data = pyrage.encrypt(plain, list(identity.read_or_make().recipients))
        write_atomic(self._path(name), data)
        return "" if maskable(value) else _cannot_be_masked(name, value)

    def remove(self, name: str) -> None:
        """Forget a value.

        Raises:
            UsageError: there is none.
        """
        self._check_folders()
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise UsageError(
                f"there is no secret {name} of {self._environment.name}", "`fumehood secret list` shows them"
            ) from None

    def names(self) -> dict[str, float]:
        """Each secret that has a value, and when it was set (Unix seconds); nothing is decrypted."""
        self._check_folders()
        if not self.folder.is_dir():
            return {}
        files = sorted(path for path in self.folder.iterdir() if path.suffix == _SUFFIX and path.name[0] != ".")
        return {path.stem: path.stat().st_mtime for path in files}

    def values(self, names: Iterable[str]) -> dict[str, Secret]:
        """Decrypt these secrets.

        Raises:
            UsageError: some have no value; the message names them and says how to give one.
            EngineError: the key is missing or another one, or a file was changed.
        """
        wanted = list(names)
        if not wanted:
            return {}
        self._check_folders()
        missing = [name for name in wanted if not self._path(name).exists()]
        if missing:
            several = len(missing) > 1
            raise UsageError(
                f"secret{'s' * several} {', '.join(missing)} of {self._environment.name} "
                f"{'have' if several else 'has'} no value",
                "give it: " + "; ".join(self._command(name) for name in missing),
            )
        key = identity.read()
        return {name: self._decrypted(name, key) for name in wanted}

    def _decrypted(self, name: str, key: identity.Identity) -> Secret:
        import pyrage

        path = self._path(name)
        try:
            plain: bytes = pyrage.decrypt(identity.read_private(path), list(key.keys))
        except pyrage.DecryptError as error:
            raise EngineError(
                f"secret {name} of {self._environment.name} cannot be decrypted: {path} was changed, "
                f"or encrypted for another key than {key.path}",
                f"put the key or the file back, or set the secret again: {self._command(name)}",
            ) from error
        if not plain.startswith(self._head(name)):
            raise EngineError(
                f"{path} does not hold the secret {name} of {self._environment.name}: files were moved",
                f"set it again: {self._command(name)}",
            )
        return Secret(plain.removeprefix(self._head(name)))

    def _path(self, name: str) -> Path:
        if not _usable(name):
            raise UsageError(f"{name!r} is no name of a secret", "use letters, digits and _, no digit first")
        return self.folder / f"{name}{_SUFFIX}"

    def _head(self, name: str) -> bytes:
        return f"{self._environment.id}\n{name}\n".encode()

    def _command(self, name: str) -> str:
        import shlex

        return f"fumehood secret set {name} --env {shlex.quote(str(self._environment.path))}"

    def _check_folders(self, *, make: bool = False) -> None:
        if make:
            private_dir(self.folder)
        for folder in (self.folder.parent, self.folder):
            if folder.exists():
                identity.check_private(folder, folder.stat())


def _usable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and name.isascii() and name.isidentifier()


def _check(name: str, value: bytes) -> None:
    if not _usable(name):
        raise UsageError(
            f"{name!r} is no name of a secret", f"use letters, digits and _, no digit first, at most {_LONGEST_NAME}"
        )
    if not value:
        raise UsageError(f"the value of {name} is empty", "give one, or remove the secret: `fumehood secret rm`")
    if len(value) > LONGEST_VALUE:
        raise UsageError(
            f"the value of {name} has {len(value)} bytes, too many for an environment variable",
            f"at most {LONGEST_VALUE}: keep the data elsewhere and only its key here",
        )
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(
            f"the value of {name} is binary, which no environment variable can hold",
            "set its base64, and decode it in the setup script: base64 -d",
        )


def _cannot_be_masked(name: str, value: bytes) -> str:
    why = f"shorter than {SHORTEST} bytes" if len(value.strip()) < SHORTEST else "a common word"
    return (
        f"{name} is {why}: it cannot be masked. It shows wherever the setup script prints it, "
        "and is not looked for in snapshots and results"
    )
