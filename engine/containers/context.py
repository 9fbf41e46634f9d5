"""The build context of a Dockerfile: the files of its folder, as .dockerignore leaves them; links never followed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

from engine import sizes
from engine.errors import UsageError

MOST_BYTES = 512 << 20
MOST_FILES = 50_000
IGNORE = ".dockerignore"


class Entry(Struct, frozen=True):
    """One file, link or folder of a context: its path below it, its mode and size as `lstat` has them."""

    path: str
    mode: int
    size: int


class Context(Struct, frozen=True):
    """What a build gets: the folder of the Dockerfile, the Dockerfile's name in it, everything that is sent."""

    folder: Path
    dockerfile: str
    text: str
    entries: tuple[Entry, ...]

    def bases(self) -> list[str]:
        """The images it says to start from, by name, where they are plain."""
        return re.findall(r"(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*([^\s$]+)[ \t]*(?:AS\b.*)?$", self.text)

    def digest(self, *more: str) -> str:
        """A hash of everything the build depends on, and of `more`; times and owners of files have no part in it."""
        return self._pack(None, more)

    def pack(self, archive: IO[bytes], *more: str) -> str:
        """Write the context as a tar and return the `digest` of what was written."""
        return self._pack(archive, more)

    def _pack(self, archive: IO[bytes] | None, more: Sequence[str]) -> str:
        total = hashlib.sha256("\0".join((self.dockerfile, *more)).encode())
        tar = tarfile.open(fileobj=archive, mode="w|") if archive else None  # noqa: SIM115 - closed below
        for entry in self.entries:
            path = self.folder / entry.path
            info = tarfile.TarInfo(entry.path)
            info.mode = stat.S_IMODE(entry.mode)
            try:
                if stat.S_ISLNK(entry.mode):
                    info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
                    digest = os.fsencode(info.linkname)
                elif stat.S_ISDIR(entry.mode):
                    info.type, digest = tarfile.DIRTYPE, b""
                else:
                    digest = _add(path, info, tar)
            except OSError as error:
                raise UsageError(
                    f"{path} cannot be read: {error.strerror or error}",
                    f"let {IGNORE} leave it out, or make it readable",
                ) from error
            if tar and not info.isreg():
                tar.addfile(info)
            head = f"{stat.S_IFMT(entry.mode)} {info.mode} {len(digest)} ".encode()
            total.update(head + os.fsencode(entry.path) + b"\0" + digest)
        if tar:
            tar.close()
        return total.hexdigest()[:16]


def _add(path: Path, info: tarfile.TarInfo, tar: tarfile.TarFile | None) -> bytes:
    """The hash of a file's content, which is also written to `tar`, when there is one."""
    # Should a link have come in its place meanwhile, it is not followed.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if tar is None:
            return hashlib.file_digest(file, "sha256").digest()
        content = hashlib.sha256()
        info.size = os.fstat(descriptor).st_size
        tar.addfile(info, _Hashed(file, content.update))
        return content.digest()


class _Hashed:
    """A file whose content is told to `seen` as it is read."""

    def __init__(self, file: IO[bytes], seen: Callable[[bytes], None]) -> None:
        self._file, self._seen = file, seen

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._seen(data)
        return data


def read(dockerfile: Path, root: Path) -> Context:
    """The context of `dockerfile`, which has to lie below `root`, whatever links lead to it.

    Raises:
        UsageError: it is not there, leads out of `root`, says what cannot be allowed, or the context is too large.
    """
    try:
        real = dockerfile.resolve(strict=True)
        text = real.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            f"{dockerfile} cannot be read: {error.strerror}",
            "it is what [image] build names; write it, or name another",
        ) from error
    if not real.is_relative_to(root.resolve()):
        raise UsageError(f"{dockerfile} is a link that leads out of {root}", "put the file itself there")
    refuse_downloads(text, dockerfile)
    folder = real.parent
    ignored = Ignore(_lines(folder / IGNORE))
    entries = tuple(_bounded(folder, _walk(folder, "", ignored, {real.name, IGNORE})))
    return Context(folder, real.name, text, entries)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "surrogateescape").splitlines() if path.is_file() else []
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "make it readable") from error


def _bounded(folder: Path, entries: Iterator[Entry]) -> Iterator[Entry]:
    size = 0
    parts: Counter[str] = Counter()
    for count, entry in enumerate(entries, 1):
        if stat.S_ISREG(entry.mode):
            size += entry.size
            parts[entry.path.partition("/")[0]] += entry.size
        if size > MOST_BYTES or count > MOST_FILES:
            limit = f"{MOST_FILES} files" if count > MOST_FILES else sizes.words(MOST_BYTES)
            largest = ", ".join(f"{name} {sizes.words(part)}" for name, part in parts.most_common(3))
            raise UsageError(
                f"the build context {folder} holds more than {limit} (so far: {largest})",
                f"name what is not needed in {folder / IGNORE}, or put the Dockerfile into a folder of its own",
            )
        yield entry


def _walk(folder: Path, below: str, ignored: Ignore, always: set[str]) -> Iterator[Entry]:
    """Everything below a folder in a fixed order. Git's own folder is never part of it: it changes all the time."""
    try:
        found = sorted(os.scandir(folder / below), key=lambda item: os.fsencode(item.name))
    except OSError as error:
        raise UsageError(
            f"{folder / below} cannot be read: {error.strerror}", f"let {IGNORE} leave it out, or make it readable"
        ) from error
    for item in found:
        path = f"{below}/{item.name}" if below else item.name
        try:
            state = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        left_out = path not in always and ignored.matches(path)
        if item.name == ".git" or (left_out and not (item.is_dir(follow_symlinks=False) and ignored.has_exceptions)):
            continue
        if not left_out and (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode) or stat.S_ISLNK(state.st_mode)):
            yield Entry(path, state.st_mode, state.st_size if stat.S_ISREG(state.st_mode) else 0)
        if stat.S_ISDIR(state.st_mode):
            yield from _walk(folder, path, ignored, always)


class Ignore:
    """The patterns of a .dockerignore: the last one that matches a path, or a folder it is in, decides."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in lines:
            text = line.strip()
            if not text or line.startswith("#"):
                continue
            keeps = text.startswith("!")
            pattern = os.path.normpath(text[1:].strip() if keeps else text).lstrip("/")
            self._rules.append((keeps, re.compile(_expression(pattern), re.DOTALL)))

    @property
    def has_exceptions(self) -> bool:
        """Whether something inside a folder that is left out may be kept."""
        return any(keeps for keeps, _ in self._rules)

    def matches(self, path: str) -> bool:
        """Whether `path` is left out."""
        out = False
        for keeps, expression in self._rules:
            if out == keeps and expression.fullmatch(path):
                out = not keeps
        return out


def _expression(pattern: str) -> str:
    """A pattern as an expression that matches the path itself and everything below it."""
    if pattern == ".":
        return ".*"
    parts = []
    for found in re.finditer(r"\*\*/|\*\*|\*|\?|\[\^?[^\]]+\]|\\.|.", pattern, re.DOTALL):
        piece = found[0]
        if piece == "**/":
            parts.append("(?:.*/)?")
        elif piece == "**":
            parts.append(".*")
        elif piece in "*?":
            parts.append("[^/]*" if piece == "*" else "[^/]")
        elif len(piece) > 1 and piece.startswith("["):
            parts.append(piece.replace("\\", "\\\\"))
        else:
            parts.append(re.escape(piece[-1]))
    return "".join(parts) + "(?:/.*)?"


_PLAIN_ADD = re.compile(r"""(?:--chown=[\w.-]+(?::[\w.-]+)?\s+)*[\w./*?@+,\-"\[\]' ]*""")


def refuse_downloads(text: str, path: Path) -> None:
    """Refuse what would let the engine itself go to the network for the Dockerfile, past the gateway (SPEC N1).

    ADD with an address is fetched by the engine, on the host; RUN has options that give some engines' steps a network.

    Raises:
        UsageError: it says such a thing, or hides what it says behind variables or escapes.
    """
    for line in _instructions(text):
        words = re.fullmatch(r"(?:ONBUILD\s+)*(ADD|RUN)\s+(.*)", line, re.IGNORECASE | re.DOTALL)
        if words is None:
            continue
        name, rest = words[1].upper(), words[2]
        if name == "ADD" and not _PLAIN_ADD.fullmatch(rest.replace("\t", " ").strip()):
            raise UsageError(
                f"{path}: ADD with an address, a variable or an escape: the engine could download past the gateway",
                "use COPY for files, written on one line, and download in the setup script",
            )
        if name == "RUN" and re.match(r"(?:--\S+\s+)*--(?:network|security)\b", rest):
            raise UsageError(f"{path}: RUN --network and --security are not allowed", "install in the setup script")


def _instructions(text: str) -> Iterator[str]:
    """Everything an engine could take for an instruction; they differ in what continues a line, and in comments."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    yield from lines
    lines = [line for line in lines if line and not line.startswith("#")]
    for end in (r"\\", r"`", r"(?<!\\)\\", r"(?<!`)`"):
        whole = ""
        for line in lines:
            start = re.sub(f"{end}$", "", line)
            whole += start
            if start == line:
                yield whole
                whole = ""
        yield whole
