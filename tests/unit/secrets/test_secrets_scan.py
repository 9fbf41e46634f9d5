"""What setup changed, and what a diff adds: every form of a secret is found, and no more than was there."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.secrets.diff_scan import Finding, likely, scan_diff
from engine.secrets.scan import CHANGED_SINCE, MARK, Leak, LeakScan
from engine.secrets.secret import Secret

TOKEN = b"tok-ABCDEFGH12345678"
VALUES = {
    "TOK": Secret(TOKEN),
    "PEM": Secret(b"-----BEGIN KEY-----\n" + base64.encodebytes(bytes(range(150))) + b"-----END KEY-----\n"),
}


def tar(files: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def find_leaks(tar: Iterable[bytes], values: Mapping[str, Secret]) -> list[Leak]:
    """The leaks in a tar that comes in pieces."""
    scan = LeakScan(values)
    for piece in tar:
        scan.feed(piece)
    return scan.leaks()


FILES = {
    "/root/.npmrc": b"//r/:_authToken=" + TOKEN + b"\n",
    "/root/.gitconfig": b"x: " + base64.b64encode(b"u:" + TOKEN),
    "/wrapped": base64.encodebytes(b"some user with a long name, long enough to wrap the line:" + TOKEN),
    "/binary": bytes(range(256)) * 40 + TOKEN + b"\0" * 999,
    "/clean": b"nothing at all " * 2000,
    "/d/" + "n" * 70 + "/" + "m" * 70 + "/" + TOKEN.decode(): b"",
    "/pem-line": base64.encodebytes(bytes(range(150))).splitlines()[1],
    "/halves-1": TOKEN[:10],
    "/halves-2": TOKEN[10:],
    "/armour": b"-----BEGIN KEY-----\n",
}
LEAKING = {
    "/root/.npmrc",
    "/root/.gitconfig",
    "/wrapped",
    "/binary",
    "/d/" + "n" * 70 + "/" + "m" * 70 + "/" + TOKEN.decode(),
    "/pem-line",
}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("size", [7, 512, 4096, 1 << 20])
def test_every_file_that_holds_a_secret_is_named(form: int, size: int) -> None:
    leaks = find_leaks(pieces(tar(FILES, form), size), VALUES)
    assert {leak.path for leak in leaks} == LEAKING
    assert Leak("/root/.gitconfig", "TOK", "base64") in leaks
    assert {leak.secret for leak in leaks if leak.path == "/pem-line"} == {"PEM"}
    assert all("ABCDEFGH" not in leak.form for leak in leaks)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.lists(st.integers(1, 700), min_size=1, max_size=9))
def test_a_secret_is_found_wherever_the_stream_is_cut(before: int, cuts: list[int]) -> None:
    data = tar({"/f": b"x" * before + TOKEN[:9] + b"\x1b[1m\n" + TOKEN[9:]})
    parts, position, turn = [], 0, 0
    while position < len(data):
        parts.append(data[position : position + cuts[turn % len(cuts)]])
        position, turn = position + len(parts[-1]), turn + 1
    assert find_leaks(parts, VALUES) == [Leak("/f", "TOK", "as it is")]


def test_what_a_link_points_to_counts() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, f"/x/{TOKEN.decode()}"
        archive.addfile(entry)
    assert find_leaks([out.getvalue()], VALUES) == [Leak("/link", "TOK", "as it is")]


def test_strings_of_a_json_secret_that_any_file_holds_are_no_leak() -> None:
    values = {
        "ACCOUNT": Secret(
            b'{"type": "service_account", "uri": "https://example.test/token", "key": "inner-Value-9381"}'
        )
    }
    files = {"/library.py": b'"service_account" "https://example.test/token"', "/kept": b"inner-Value-9381"}
    assert [leak.path for leak in find_leaks([tar(files)], values)] == ["/kept"]


@pytest.mark.parametrize("data", [b"", tar(FILES)[: -1024 * 20], tar(FILES)[:700], b"\1" * 512, b"\xff" * 4096])
def test_a_tar_cut_short_or_damaged_is_never_taken_for_clean(data: bytes) -> None:
    with pytest.raises(EngineError):
        find_leaks([data], {"X": Secret(b"not-in-there-1234")})


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_an_error_or_an_empty_tar_but_no_crash(data: bytes) -> None:
    with contextlib.suppress(EngineError):
        assert find_leaks([data], VALUES) == []


def test_a_name_of_absurd_length_is_refused_before_it_is_read() -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 1 << 30
    with pytest.raises(EngineError, match="a name of"):
        find_leaks([entry.tobuf(tarfile.USTAR_FORMAT)], VALUES)


def changed(root: Path, mark: Path) -> bytes:
    done = subprocess.run(
        ["bash", "-c", CHANGED_SINCE, "fumehood", str(mark), str(root)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_files_changed_since_the_mark_are_sent_whatever_their_dates(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a b\n-c").mkdir(parents=True)
    (root / "old").write_bytes(TOKEN)
    (root / "grown").write_bytes(b"old\n")
    mark = tmp_path / "mark"
    subprocess.run(["bash", "-c", MARK, "fumehood", str(mark)], check=True)
    assert find_leaks([changed(root, mark)], VALUES) == []
    (root / "a b\n-c" / "-new").write_bytes(TOKEN)
    os.utime(root / "a b\n-c" / "-new", (1, 1))
    with (root / "grown").open("ab") as file:
        file.write(TOKEN)
    (root / "link").symlink_to(TOKEN.decode())
    (root / "clean").write_bytes(b"x" * 100_000)
    os.mkfifo(root / "pipe")
    assert {leak.path for leak in find_leaks([changed(root, mark)], VALUES)} == {
        f"{root}/a b\n-c/-new",
        f"{root}/grown",
        f"{root}/link",
    }


def test_without_its_mark_nothing_is_taken_for_clean(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", CHANGED_SINCE, "x", str(tmp_path / "no"), str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 3


def git_diff(tmp_path: Path, before: dict[str, bytes], after: dict[str, bytes]) -> bytes:
    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(tmp_path), *arguments], capture_output=True, check=True).stdout

    git("init", "-q")
    for step in (before, after):
        for name, content in step.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "x")
    return git("diff", "--binary", "HEAD~1", "HEAD")


def test_secrets_that_a_diff_adds_are_found_with_path_and_line(tmp_path: Path) -> None:
    before = {"a.py": b"one\ntwo\n" + b"same\n" * 20 + b"old " + TOKEN + b"\n"}
    after = {
        "a.py": b"one\nx = '" + TOKEN + b"'\ntwo\n" + b"same\n" * 20 + b"end\n",
        "d/é\t.txt": b"++ plus\n" + base64.encodebytes(b"a user name that makes it wrap into the next line:" + TOKEN),
        f"{TOKEN.decode()}.md": b"fine\n",
        "b.bin": bytes(range(256)),
        "key": b"\n-----BEGIN OPENSSH PRIVATE KEY-----\n",
    }
    found = scan_diff(git_diff(tmp_path, before, after), VALUES)
    assert [(f.path, f.line, f.known) for f in found] == [
        ("a.py", 2, True),
        ("d/é\t.txt", 2, True),
        ("key", 2, False),
        (f"{TOKEN.decode()}.md", 0, True),
    ]
    assert found[2] == Finding("key", 2, "a private key", False)
    assert scan_diff(b"", VALUES) == []


@pytest.mark.parametrize(
    "line",
    [
        "AKIA" + "ABCDEFGH12345678",
        "token: ghp_" + "aB3" * 12,
        "glpat-" + "x1Y-" * 5,
        "url = https://user:hunter2-secret@example.test/x",
        "sk-proj-" + "aB3_" * 10,
        'API_KEY = "' + "a1B2c3D4e5F6" * 3 + '"',
        "AGE-SECRET-KEY-1" + "QPZRY9X8" * 7,
    ],
)
def test_likely_secrets_are_told_by_their_looks(line: str) -> None:
    assert likely(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "token = os.environ['GITHUB_TOKEN']",
        "password = get_password_from_keyring(service_name, user)",
        "git@github.com:owner/repository.git",
        "https://example.test/a/path?token=",
        "secret_name = 'projects/example/secrets/database-url'",
        "auth: ${{ secrets.NPM_TOKEN }}",
        "postgres://$USER:$PASSWORD@localhost/db",
        "integrity sha512-" + "a1B2c3D4" * 10,
    ],
)
def test_ordinary_lines_are_not_suspected(line: str) -> None:
    assert likely(line.encode()) == ""
