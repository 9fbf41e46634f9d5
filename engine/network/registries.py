"""The package registries that a container's clients are configured to use: asked from the clients (SPEC N3).

No registry is named here. Built-in defaults come from the client itself, so a mirror set up in the image, in setup or
in the repository takes the place of what it mirrors.

What nobody can be asked for is not found, and an allowlist has to name it where it is used:

- cargo's built-in default index, and the host an index of cargo's names for downloads (both other presets hold the
  built-in ones);
- the host of the files of a pip index that is not the built-in one, when it is another than that of the index;
- the second host that Bundler takes for the built-in gem source;
- the built-in default of uv, poetry and pipenv, which is pip's, in an image without pip.
"""

from __future__ import annotations

import re

from msgspec import Struct

from engine.errors import NetworkError, UsageError
from engine.network.hosts import show_authority, split_authority
from engine.network.rules import parse_entry

TOOLS = ("apt", "cargo", "gem", "go", "npm", "pip", "pipenv", "poetry", "uv", "yarn")
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#\s]+)(?:[/?#]\S*)?")
_END = "end"
_MAX_FOUND = 200
_MAX_NOTICES = 20

DISCOVER = r"""
exec 3>&1 >/dev/null 2>/dev/null </dev/null
[ -f "$2" ] && . "$2" 3>&-
set +eu
cd -- "$1" || exit
export COREPACK_ENABLE_NETWORK=0 GOTOOLCHAIN=local NO_UPDATE_NOTIFIER=1

# The URLs of standard input without user, path and query, each after the name of the tool $1.
urls() {
  local line scheme rest
  while IFS= read -r line || [ -n "$line" ]; do
    while [[ $line =~ (https?)://([^][:space:]\"\'\\,\|\;\<\>\)}]+)(.*) ]]; do
      scheme=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]} line=${BASH_REMATCH[3]}
      rest=${rest%%[/?#]*}
      printf '%s\t%s://%s\n' "$1" "$scheme" "${rest##*@}"
    done
  done | sort -u >&3
}
has() { type -P "$1"; }
ask() { timeout 10 "$@" 3>&-; }
content() { [ -f "$1" ] && head -c 262144 -- "$1"; }
# Those lines of standard input that match the regular expression $1.
lines() {
  local line
  while IFS= read -r line || [ -n "$line" ]; do [[ $line =~ $1 ]] && printf '%s\n' "$line"; done
}
# Those lines of TOML on standard input that are in a table whose header matches $1.
table() {
  local line inside=
  while IFS= read -r line || [ -n "$line" ]; do
    [[ $line =~ ^[[:space:]]*\[+([^]]*) ]] && { [[ ${BASH_REMATCH[1]} =~ $1 ]] && inside=1 || inside=; }
    [[ -n $inside && $line =~ ^[[:space:]]*[^#[:space:]] ]] && printf '%s\n' "$line"
  done
}

pip_python() {
  local python
  for python in python3 python; do
    ask "$python" -c 'import pip' && { printf '%s' "$python"; return; }
  done
  return 1
}
python_default() {
  local python
  python=$(pip_python) && ask "$python" -c 'if True:
    from pip._internal.models.index import PyPI
    print(PyPI.simple_url)
    print("https://" + PyPI.file_storage_domain)' | urls "$1"
}
pip() {
  local python config
  python=$(pip_python) || return
  config=$(ask "$python" -m pip config list)
  lines '(index-url|find-links)=' <<< "$config" | urls pip
  lines '[.]index-url=' <<< "$config" | lines '://' | read -r || python_default pip
}
uv() {
  local config
  has uv || return
  config=$(
    table '^(tool[.]uv([.]index|[.]pip)?)$' < <(content pyproject.toml)
    for file in uv.toml "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" /etc/uv/uv.toml; do content "$file"; echo; done
    env | lines '^UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS)='
  )
  urls uv <<< "$config"
  [[ $config =~ (^|$'\n')[[:space:]]*(index-url|default|UV_DEFAULT_INDEX|UV_INDEX_URL)[[:space:]]*= ]] ||
    python_default uv
}
poetry() {
  local sources
  sources=$(table '^tool[.]poetry[.]source' < <(content pyproject.toml) | lines '^[[:space:]]*url')
  urls poetry <<< "$sources"
  has poetry && python_default poetry
}
pipenv() {
  local sources
  sources=$(table '^source$' < <(content Pipfile) | lines '^[[:space:]]*url')
  urls pipenv <<< "$sources"
  [ -n "$sources" ] || { has pipenv && python_default pipenv; }
}
npm() { has npm && ask npm config ls --json | lines '"(@[^":]*:)?registry": ' | urls npm; }
yarn() {
  has yarn || return
  ask yarn config get registry | urls yarn
  ask yarn config get npmRegistryServer | urls yarn
  ask yarn config get npmScopes --json | urls yarn
  for file in .yarnrc "$HOME/.yarnrc"; do content "$file" | lines '^"?(@[^:]*:)?registry"? ' | urls yarn; done
}
apt() { has apt-get && ask apt-get --print-uris update | urls apt; }
cargo() {
  local home=${CARGO_HOME:-$HOME/.cargo} file
  has cargo || return
  for file in .cargo/config.toml .cargo/config "$home/config.toml" "$home/config"; do
    content "$file" | table '^(registry|registries|source)([.]|$)' |
      lines '^[[:space:]]*(([^=]*[.])?(index|registry|git)|[^=]*=[[:space:]]*\{)' | urls cargo
  done
  env | lines '^CARGO_(REGISTRIES_.*_INDEX|REGISTRY_INDEX|SOURCE_.*_REGISTRY)=' | urls cargo
}
go() {
  has go || return
  ask go env GOPROXY | urls go
  local sums
  sums=$(ask go env GOSUMDB)
  case $sums in
    off | '') ;;
    *://*) urls go <<< "$sums" ;;
    *) urls go <<< "https://${sums%%+*}" ;;
  esac
}
gem() { has gem && ask gem sources --list | urls gem; }

asking=
for tool in apt cargo gem go npm pip pipenv poetry uv yarn; do "$tool" & asking+=" $!"; done
wait $asking
echo end >&3
"""
"""Prints, inside a container, what `parse` reads: `TOOL<TAB>scheme://host[:port]` a line, then `end`.

Bash and coreutils are all it needs. Run with: the work directory, the file of settings that setup left for later
shells (which may be missing). It makes no connection, and prints neither user names nor passwords of a URL.
"""


class Found(Struct, frozen=True):
    """A registry: the tool that is configured to use it, its canonical host and its port."""

    tool: str
    host: str
    port: int


class Registries(Struct, frozen=True):
    """What a container's clients are configured to use, and one sentence about each host that cannot be allowed."""

    found: tuple[Found, ...]
    notices: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """What `preset:registries` stands for: exact hosts with their ports."""
        return tuple(dict.fromkeys(_entry(found.host, found.port) for found in self.found))


def parse(output: str) -> Registries:
    """Read what `DISCOVER` printed; nothing in it is trusted.

    Raises:
        NetworkError: it is not whole, or there is none.
    """
    lines = output.split("\n")
    if _END not in lines[-2:]:
        raise NetworkError(
            "the snapshot does not say which package registries its tools use", "`fumehood cache reset`, then try again"
        )
    found: dict[Found, None] = {}
    notices: dict[str, None] = {}
    for line in lines[: lines.index(_END)]:
        try:
            found[_parse_line(line)] = None
        except UsageError as fault:
            notices[fault.message] = None
    if len(found) > _MAX_FOUND:
        notices = {f"{len(found)} package registries are configured, the first {_MAX_FOUND} count": None, **notices}
    return Registries(tuple(sorted(found, key=_order)[:_MAX_FOUND]), tuple(notices)[:_MAX_NOTICES])


def _order(found: Found) -> tuple[str, str, int]:
    return found.tool, found.host, found.port


def _parse_line(line: str) -> Found:
    tool, _, url = line.partition("\t")
    match = _URL.fullmatch(url)
    if tool not in TOOLS or match is None:
        raise UsageError(f"no package registry: {_quoted(line)}")
    authority = split_authority(match[2].rpartition("@")[2], _PORTS[match[1]])
    if authority is None:
        raise UsageError(f"{tool}: not a host: {_quoted(match[2])}")
    try:
        parse_entry(_entry(*authority))
    except UsageError as fault:
        raise UsageError(f"{tool}: {fault.message}") from None
    return Found(tool, *authority)


def _entry(host: str, port: int) -> str:
    return f"={show_authority(host, port)}"


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")
