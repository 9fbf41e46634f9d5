"""A `Shell` on a real container by means of the docker command line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.repository.shell import Output

IMAGE = "fumehood/base:bookworm"
LABEL = "fumehood-test=repository"


def docker(*arguments: str, stdin: bytes = b"") -> str:
    """Output of a docker command that has to succeed."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, input=stdin).stdout.decode().strip()


class CliShell:
    """Runs bash scripts in the container `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def bash(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float = 600.0) -> Output:
        done = subprocess.run(self._command(script, *arguments), input=stdin, capture_output=True, timeout=timeout)
        return Output(done.returncode, done.stdout, done.stderr)

    def bash_to_file(self, path: Path, script: str, *arguments: str, timeout: float = 600.0) -> Output:
        with path.open("wb") as file:
            command = self._command(script, *arguments)
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, timeout=timeout
            )
        return Output(done.returncode, b"", done.stderr)

    def put(self, path: str, data: Path | bytes, mode: int = 0o644) -> None:
        content = data if isinstance(data, bytes) else data.read_bytes()
        self.bash(f"cat >'{path}' && chmod {mode:o} '{path}'", stdin=content)

    def must(self, script: str, *arguments: str) -> str:
        """Run a script that has to succeed; its output."""
        done = self.bash("set -e\n" + script, *arguments)
        assert done.exit_code == 0, done.err.decode(errors="replace")
        return done.out.decode(errors="surrogateescape").strip()

    def _command(self, script: str, *arguments: str) -> list[str]:
        return ["docker", "exec", "-i", self.name, "bash", "-c", script, "bash", *arguments]


@contextmanager
def container(image: str = IMAGE, *options: str) -> Iterator[CliShell]:
    """A container without a network that is removed at the end."""
    name = docker("run", "--detach", "--label", LABEL, "--network=none", "--init", *options, image, "sleep", "infinity")
    try:
        yield CliShell(name)
    finally:
        docker("rm", "--force", "--volumes", name)
