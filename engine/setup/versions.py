"""Language versions: what an environment wants, what a project asks for, what an image has (SPEC E1).

An image of the codex-universal kind has many versions and a program that switches between them. In any other image the
version that is there may be the one wanted. If it is not, Node is installed with nvm where the image has it, else
from npm's registry, and Python with uv; other languages are refused, with what to do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.setup.project import TOOLS, Asked

UNIVERSAL = "/opt/codex/setup_universal.sh"

_ASK = {
    "python": "python3 --version || python --version",
    "node": "node --version",
    "ruby": "ruby --version",
    "rust": "rustc --version",
    "go": "go version",
    "swift": "swift --version",
    "php": "php --version",
    "java": "java -version 2>&1",
    "bun": "bun --version",
}
# Run with: the names of tools. Says `TOOL<tab>VERSION` for each the image has, and `universal` when it switches itself.
PROBE = "\n".join(
    (
        f"[ ! -e {UNIVERSAL} ] || echo universal",
        "ask() { case $1 in",
        *(f"{tool}) {command} ;;" for tool, command in _ASK.items()),
        "esac 2>/dev/null | head -n 5; }",
        "for tool; do",
        r"  [[ $(ask $tool) =~ [0-9]+(\.[0-9]+)* ]] && printf '%s\t%s\n' $tool ${BASH_REMATCH[0]}",
        "done; exit 0",
    )
)

# Run in an empty folder: nvm writes an .nvmrc where it is told to use a version. What has been switched is seen in
# the search path of a new login shell; later shells are none, so it is kept for them.
_SWITCH = f"""\
(cd "$(mktemp -d)"; bash -l {UNIVERSAL} </dev/null)
PATH=$(bash -lc 'printf %s "$PATH"')
printf 'export PATH=%q\\n' "$PATH" >> ~/.bashrc"""

_NODE = f"""\
if [ -s "${{NVM_DIR:-$HOME/.nvm}}/nvm.sh" ]; then
  set +eu; . "${{NVM_DIR:-$HOME/.nvm}}/nvm.sh"; set -eu
  nvm install @VERSION@ || refuse node @VERSION@ @HAS@
  place=$(dirname "$(nvm which @VERSION@)")
else
  type -P npm >/dev/null || {{ apt-get update; apt-get install -y --no-install-recommends nodejs npm; }}
  npm install --global --no-audit --no-fund --prefix {TOOLS}/node node@@VERSION@ || refuse node @VERSION@ @HAS@
  place={TOOLS}/node/bin
fi
PATH=$place:$PATH
printf 'export PATH=%q:$PATH\\n' "$place" >> ~/.bashrc"""

_PYTHON = f"""\
type -P uv >/dev/null || {{
  python3 -c 'import ensurepip, venv' ||
    {{ apt-get update; apt-get install -y --no-install-recommends python3 python3-venv; }}
  python3 -m venv {TOOLS}/uv; {TOOLS}/uv/bin/python -m pip install --quiet uv
  mkdir -p {TOOLS}/bin; ln -sf {TOOLS}/uv/bin/uv {TOOLS}/bin/
}}
PATH=$PATH:{TOOLS}/bin
uv python install --no-progress @VERSION@ || refuse python @VERSION@ @HAS@
place=$(dirname "$(uv python find --managed-python @VERSION@)")
PATH=$place:$PATH
printf 'export PATH=%q:$PATH\\n' "$place" >> ~/.bashrc"""

_INSTALL = {"python": _PYTHON, "node": _NODE}
_REFUSE = """\
refuse() {
  echo "fumehood: $1 $2 is wanted, the image has $3, and the download above failed." >&2
  echo "Use an image that has it, or take $1 out of [versions]." >&2
  exit 1
}"""


class Switch(Struct, frozen=True):
    """What is done about versions before setup: bash lines, what to tell, and what cannot be had in this image."""

    script: str = ""
    notices: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def found_in(probed: str) -> tuple[dict[str, str], bool]:
    """What `PROBE` printed: the version of each tool, and whether the image switches between versions itself."""
    lines = [line.partition("\t") for line in probed.splitlines()]
    return {tool: version for tool, tab, version in lines if tab and tool in _ASK}, ("universal", "", "") in lines


def switch(wanted: Mapping[str, str], asked: Sequence[Asked], found: Mapping[str, str], universal: bool) -> Switch:
    """What is to be done so that the tools have the versions `wanted`.

    Args:
        wanted: the environment's `versions`.
        asked: what files of the project ask for; where the environment wants nothing, a mismatch is only told.
        found: the versions the image has.
        universal: whether the image switches between versions itself.
    """
    told = [text for one in asked if (text := _mismatch(one, wanted, found))]
    if not wanted:
        return Switch("", tuple(told))
    if universal:
        return Switch(_script([_SWITCH]), tuple(told))
    other = {tool: version for tool, version in wanted.items() if not is_version(version, found.get(tool, ""))}
    told += [f"{tool} {wanted[tool]}: the image has {found[tool]}" for tool in wanted if tool not in other]
    refused = [
        f"{tool} {version} is wanted, the image has {found.get(tool) or 'none'}, and {tool} cannot be installed here: "
        f"use an image that has it, or take {tool} out of [versions] and install it in setup.script"
        for tool, version in other.items()
        if tool not in _INSTALL
    ]
    lines = [
        script.replace("@VERSION@", shlex.quote(other[tool])).replace("@HAS@", found.get(tool) or "none")
        for tool, script in _INSTALL.items()
        if tool in other
    ]
    return Switch(_script([_REFUSE, *lines]) if lines else "", tuple(told), tuple(refused))


def _script(parts: Sequence[str]) -> str:
    return "\n".join(("set -euo pipefail", *parts, "set +euo pipefail", ""))


def is_version(wanted: str, found: str) -> bool:
    """Whether `found` is the version wanted, to the digits that it names: 3.12 is 3.12.4, and 3 is not 30."""
    parts = wanted.removeprefix("v").split(".")
    return bool(found) and found.split(".")[: len(parts)] == parts


def _mismatch(one: Asked, wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What to tell about a version asked for by a file of the project; empty when it is met or cannot be judged."""
    has = wanted.get(one.tool) or found.get(one.tool, "")
    if satisfies(has, one.version) is not False:
        return ""
    who = "[versions] says" if one.tool in wanted else "the image has"
    return f"{one.file} asks for {one.tool} {one.version}, {who} {has or 'none'}: set {one.tool} in [versions]"


def satisfies(version: str, asked: str) -> bool | None:
    """Whether a version is within a range as package.json, pyproject.toml or .nvmrc gives it; None: cannot be judged.

    Of each alternative all conditions have to hold. Only as many digits are compared as both have.
    """
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
        return None if version else False
    results = []
    for alternative in asked.split("||"):
        conditions = re.sub(r"([<>=~^!]+)\s+", r"\1", alternative.replace(",", " ")).split()
        from_to = "-" in conditions
        results.append(None if from_to else _all([_holds(version, condition) for condition in conditions]))
    return True if True in results else None if None in results else False


def _all(results: Sequence[bool | None]) -> bool | None:
    return False if False in results else None if None in results or not results else True


def _holds(version: str, condition: str) -> bool | None:
    parsed = re.fullmatch(r"(\^|~=|~|>=|<=|===?|=|!=|>|<|)v?([0-9]+(?:\.[0-9]+)*)(?:\.[*xX])*", condition)
    if parsed is None:
        return True if condition in ("*", "x") else None
    sign, limit = parsed[1], [int(part) for part in parsed[2].split(".")]
    digits = [int(part) for part in version.split(".")]
    length = min(len(digits), len(limit))
    here, there = digits[:length], limit[:length]
    match sign:
        case ">=":
            return here >= there
        case "<=":
            return here <= there
        case ">":
            # 3.12.4 is above 3.12 for Python, and 22.1 is not above 22 for npm: only a real difference counts.
            return here > there or None if len(digits) > len(limit) else here > there
        case "<":
            return here < there
        case "!=":
            return here != there or None
        case "^":
            return here >= there and digits[0] == limit[0]
        case "~" | "~=":
            kept = max(len(limit) - 1, 1) if sign == "~=" or len(limit) > 2 else len(limit)
            return here >= there and digits[:kept] == limit[:kept]
        case _:
            return here == there
