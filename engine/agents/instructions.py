"""AGENTS.md: what a project tells its agents (SPEC A3), for those that do not read it themselves.

The files are read from the checked-out tree in the container: from the repository's folder down to the work directory
one in each folder, `AGENTS.override.md` before `AGENTS.md`, empty ones passed over, 32 KiB in all. Files deeper down
are named, not read: they hold where the agent works on what is beside or below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from engine.agents.base import Chunk, Terminal
from engine.repository.into import LEFTOVERS
from engine.tasks import events as ev

LIMIT = 32 << 10
_NAMED = 50
_SECONDS = 20
_COMMANDS = 8
_LONGEST_COMMAND = 200

Kind = Literal["test", "lint"]
_CODE = re.compile(r"`([^`]+)`")
_TOOLS = (
    "pytest|tox|nox|jest|vitest|mocha|rspec|ctest|phpunit|ruff|mypy|pyright|flake8|black|isort|pylint|eslint|prettier|tsc"
    "|golangci-lint|shellcheck|pre-commit|rubocop|biome|stylelint"
)
_RUNNER = re.compile(
    rf"(?:(?:make|just|task|npm|npx|pnpm|yarn|bun|deno|node|python3?|uv|uvx|poetry|pipenv|hatch|pdm|cargo|go|gradle|mvn"
    rf"|bundle|rake|composer|php|dotnet|swift|mix|cmake|bazel|sh|bash) |(?:{_TOOLS})(?: |$)"
    r"|(?:\./|(?:scripts|bin|tools)/)[\w./-]+(?: |$))"
)
_TESTS = re.compile(r"\b(?:pytest|tests?|tox|nox|jest|vitest|mocha|rspec|ctest|phpunit|unittest|spec)\b")
_LINTS = re.compile(rf"\b(?:{_TOOLS}|lint|check|clippy|vet|fmt|format|typecheck|type-check|rustfmt|gofmt)\b")

# $1: work directory, $2: most bytes of a file, $3: most files named, $4: the record of what setup left there.
# Prints fields that end with NUL: "file", path, 1 if setup made or changed it, text; or "below", path.
_READ = r"""
limit=$2 named=$3 record=$4 top=$1
cd -- "$1" || exit 1
while [ ! -e "$top/.git" ] && [ -n "$top" ]; do top=${top%/*}; done
[ -n "$top" ] || top=$1
folder=$top rest=${1#"$top"}
from_setup() { [ -f "$record" ] && tr '\0\n' '\n\0' < "$record" | cut -f2- | grep -qxF -- "$1"; }
while :; do
  for name in AGENTS.override.md AGENTS.md; do
    [ -f "$folder/$name" ] && [ -s "$folder/$name" ] || continue
    path=${folder#"$top"}/$name path=${path#/} made=0
    from_setup "$path" && made=1
    printf 'file\0%s\0%s\0' "$path" "$made"
    timeout 5 head -c "$((limit + 1))" -- "$folder/$name" | tr -d '\0'
    printf '\0'
    break
  done
  rest=${rest#/}
  [ -n "$rest" ] || break
  folder=$folder/${rest%%/*}
  case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
done
git -c core.fsmonitor=false ls-files -z -- '*/AGENTS.md' '*/AGENTS.override.md' 2>/dev/null | head -z -n "$named" |
  while IFS= read -r -d '' path; do printf 'below\0%s\0' "$path"; done
"""


class Instructions(Struct, frozen=True):
    """What a project tells agents.

    Attributes:
        text: for the agent; empty when it says nothing.
        files: the files it comes from, relative to the repository.
        notices: what the user should know of them.
        made: those of the files that setup made or changed.
        commands: for tests and linters, as far as they can be made out.
    """

    text: str = ""
    files: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    made: frozenset[str] = frozenset()
    commands: tuple[tuple[Kind, str], ...] = ()

    def events(self) -> Iterator[ev.Instructions | ev.Notice]:
        """What of this the journal tells; nothing when the project says nothing."""
        if self.files:
            files = [(path, path in self.made) for path in self.files]
            yield ev.Instructions(files=files, commands=list(self.commands))
        for notice in self.notices:
            yield ev.Notice(level="warning", text=notice)


async def project_instructions(terminal: Terminal, workdir: str) -> Instructions:
    """Read what holds in `workdir`; a tree that cannot be read has no instructions."""
    printed = bytearray()
    argv = ["timeout", str(_SECONDS), "bash", "-c", _READ, "fumehood", workdir, str(LIMIT), str(_NAMED), LEFTOVERS]
    async for item in terminal.run(argv):
        if isinstance(item, Chunk) and item.stream == "out":
            printed += item.data
    return from_fields(printed.decode("utf-8", "replace").split("\0")[:-1])


def from_fields(fields: list[str]) -> Instructions:
    """The instructions that the fields of the script tell."""
    parts, files, below, notices = [], [], [], []
    by_setup, commands = set[str](), list[tuple[Kind, str]]()
    room = LIMIT
    given = iter(fields)
    for kind in given:
        if kind == "below":
            below.append(next(given, ""))
            continue
        path, made, text = next(given, ""), next(given, ""), next(given, "")
        if not text.strip():
            continue
        if room <= 0:
            notices.append(
                f"{path} is not given to the agent: all AGENTS.md together are larger than {LIMIT >> 10} KiB"
            )
            continue
        data = text.encode()
        if len(data) > room:
            notices.append(
                f"{path} is given to the agent in part: all AGENTS.md together are larger than {LIMIT >> 10} KiB"
            )
            text = data[:room].decode("utf-8", "ignore")
        room -= len(data)
        mark = ""
        if made == "1":
            by_setup.add(path)
            mark = " (made by the setup of this environment, not part of the repository)"
            notices.append(f"{path} was made or changed by setup; the repository does not have it so")
        files.append(path)
        commands += [command for command in commands_in(text) if command not in commands]
        parts.append(f'<instructions file="{path}"{mark}>\n{text.strip()}\n</instructions>')
    if below:
        named = "\n".join(f"- {path}" for path in below)
        parts.append(f"These files hold for what is beside and below them; read one before you work there:\n{named}")
    shown = tuple(commands[:_COMMANDS])
    return Instructions("\n\n".join(parts), tuple(files), tuple(notices), frozenset(by_setup), shown)


def commands_in(text: str) -> Iterator[tuple[Kind, str]]:
    """The commands for tests and linters that a Markdown text names: in code, beginning with what runs such things."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        for code in [line] if fenced else _CODE.findall(line):
            command = code.strip().removeprefix("$ ").partition(" #")[0].strip()
            if len(command) <= _LONGEST_COMMAND and _RUNNER.match(command):
                if _TESTS.search(command):
                    yield "test", command
                elif _LINTS.search(command):
                    yield "lint", command
