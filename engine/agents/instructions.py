"""AGENTS.md: what a project tells its agents (SPEC A3), for those that do not read it themselves.

The files are read from the checked-out tree in the container: from the repository's folder down to the work directory
one in each folder, `AGENTS.override.md` before `AGENTS.md`, empty ones passed over, 32 KiB in all. Files deeper down
are named, not read: they hold where the agent works on what is beside or below them.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.agents.base import Chunk, Terminal
from engine.repository.into import LEFTOVERS

LIMIT = 32 << 10
_NAMED = 50
_SECONDS = 20

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


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a project tells agents.

    Attributes:
        text: for the agent; empty when it says nothing.
        files: the files it comes from, relative to the repository.
        notices: what the user should know of them.
    """

    text: str = ""
    files: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


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
            mark = " (made by the setup of this environment, not part of the repository)"
            notices.append(f"{path} was made or changed by setup; the repository does not have it so")
        files.append(path)
        parts.append(f'<instructions file="{path}"{mark}>\n{text.strip()}\n</instructions>')
    if below:
        named = "\n".join(f"- {path}" for path in below)
        parts.append(f"These files hold for what is beside and below them; read one before you work there:\n{named}")
    return Instructions("\n\n".join(parts), tuple(files), tuple(notices))
