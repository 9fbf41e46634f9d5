"""Build contexts: what is sent, what is left out, what is refused, what makes the hash another one."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from engine.containers import context
from engine.containers.context import Ignore, refuse_downloads
from engine.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("a")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("x")
    return tmp_path


def sent(folder: Path) -> dict[str, tarfile.TarInfo]:
    archive = io.BytesIO()
    here = context.read(folder / "Dockerfile", folder)
    assert here.pack(archive) == here.digest()
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        return {member.name: member for member in tar}


def digest(folder: Path) -> str:
    return context.read(folder / "Dockerfile", folder).digest()


def test_everything_but_git_is_sent_in_one_fixed_form(folder: Path) -> None:
    assert list(sent(folder)) == ["Dockerfile", "src", "src/a.py"]
    assert {(m.mtime, m.uid, m.gid) for m in sent(folder).values()} == {(0, 0, 0)}


def test_links_are_links_and_nothing_else_is_read(folder: Path) -> None:
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "dir").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    found = sent(folder)
    assert (found["out"].issym(), found["out"].linkname, found["out"].size) == (True, "/etc/passwd", 0)
    assert found["dir"].issym()
    assert "pipe" not in found
    assert not [name for name in found if name.startswith("dir/")]


def test_the_hash_is_of_contents_names_and_modes_not_of_times(folder: Path) -> None:
    before = digest(folder)
    os.utime(folder / "src" / "a.py", (1, 1))
    (folder / ".git" / "HEAD").write_text("another commit")
    assert digest(folder) == before
    seen = {before}
    (folder / "src" / "a.py").write_text("b")
    seen.add(digest(folder))
    (folder / "src" / "a.py").chmod(0o755)
    seen.add(digest(folder))
    (folder / "src" / "a.py").rename(folder / "src" / "b.py")
    seen.add(digest(folder))
    (folder / "l").symlink_to("one")
    seen.add(digest(folder))
    (folder / "l").unlink()
    (folder / "l").symlink_to("two")
    seen.add(digest(folder))
    assert len(seen) == 6
    here = context.read(folder / "Dockerfile", folder)
    assert here.digest("sha256:1") != here.digest("sha256:2")


@pytest.mark.parametrize(
    ("lines", "out", "kept"),
    [
        (["*.md"], ["a.md"], ["d/a.md", "a.mdx"]),
        (["**/*.md"], ["a.md", "d/e/a.md"], ["a.txt"]),
        (["/d/"], ["d", "d/x/y"], ["e/d", "dd"]),
        (["d/*/x"], ["d/e/x", "d/e/x/y"], ["d/x", "d/e/f/x"]),
        (["*", "!keep", "keep/not"], ["a", "keep/not"], ["keep", "keep/a"]),
        (["# a", " ", "a?c", "[xy].z"], ["abc", "x.z"], ["ac", "a/c", "# a"]),
        (["./a/../b"], ["b"], ["a"]),
        (["**"], ["a", "b/c"], []),
        ([r"a\*"], ["a*"], ["ab"]),
        (["a.b+"], ["a.b+"], ["aXb", "a.bb"]),
    ],
)
def test_patterns(lines: list[str], out: list[str], kept: list[str]) -> None:
    ignore = Ignore(lines)
    assert [path for path in out if not ignore.matches(path)] == []
    assert [path for path in kept if ignore.matches(path)] == []


def test_what_is_left_out_is_not_even_looked_at(folder: Path) -> None:
    (folder / ".dockerignore").write_text("src\nDockerfile\n!src/keep\n")
    (folder / "src" / "keep").write_text("k")
    assert list(sent(folder)) == [".dockerignore", "Dockerfile", "src/keep"]


def test_a_context_that_is_too_large_names_what_makes_it_so(folder: Path) -> None:
    with (folder / "src" / "film").open("wb") as file:
        file.truncate(context.MOST_BYTES)
    with pytest.raises(UsageError, match=r"holds more than 537 MB \(so far: src 537 MB, Dockerfile 22 B\)") as error:
        digest(folder)
    assert ".dockerignore" in error.value.hint
    (folder / ".dockerignore").write_text("**/film\n")
    assert digest(folder)


def test_a_dockerfile_elsewhere_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        context.read(folder / "nothing" / "Dockerfile", folder)
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leads out of"):
        context.read(folder / "link", folder)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    # Gone between the listing and the reading, as an editor does.
    here = context.read(folder / "Dockerfile", folder)
    (folder / "src" / "a.py").unlink()
    with pytest.raises(UsageError, match=r"a\.py cannot be read"):
        here.digest()


@pytest.mark.parametrize(
    "text",
    [
        "ADD http://127.0.0.1/x /",
        "add https://x.test/y /",
        "ADD git@host:repo /",
        "ADD $URL /",
        'ADD ["http:\\u002f\\u002f169.254.169.254/", "/"]',
        "ONBUILD ADD http://x /",
        "ADD \\\n  http://x /",
        "A\\\nDD http://x /",
        "# escape=`\nADD `\n http://x /",
        "RUN true \\\n  # a comment?\nADD http://x /",
        "RUN echo \\\\\nADD http://x /",
        "  ADD\thttp://x /",
        "ADD a\\://x /",
        "RUN --network=host curl x",
        "RUN --mount=type=cache,target=/x --network=host curl x",
        "RUN \\\n --security=insecure x",
    ],
)
def test_what_would_go_past_the_gateway_is_refused(text: str) -> None:
    for start in ("FROM scratch\n", "\ufeff"):
        with pytest.raises(UsageError):
            refuse_downloads(f"{start}{text}\n", Path("Dockerfile"))


@pytest.mark.parametrize(
    "text",
    [
        "ADD a.tar.gz /opt/",
        'ADD ["a b", "/x/"]',
        "ADD --chown=1000:1000 a /x",
        "RUN curl http://x && \\\n  adduser x",
        "# ADD http://x /",
        "ENV X=http://x",
        "COPY a b",
        "RUN echo --network",
    ],
)
def test_what_stays_here_is_allowed(text: str) -> None:
    refuse_downloads(f"FROM scratch\n{text}\n", Path("Dockerfile"))


def test_the_images_it_starts_from(folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "ARG V=1\nFROM debian:bookworm AS one\nfrom --platform=linux/amd64 x.test/y@sha256:1\nFROM base:$V\nRUN echo FROM no\n"
    )
    assert context.read(folder / "Dockerfile", folder).bases() == ["debian:bookworm", "x.test/y@sha256:1"]


def test_the_tar_is_one_that_tar_reads(folder: Path) -> None:
    name = os.fsdecode(b"n\xc3\xa4me \xff\n")
    (folder / name).write_text("odd")
    archive = folder.parent / "context.tar"
    with archive.open("wb") as file:
        context.read(folder / "Dockerfile", folder).pack(file)
    listed = subprocess.run(["tar", "--quoting-style=literal", "-tf", archive], check=True, capture_output=True).stdout
    assert os.fsencode(name) in listed
