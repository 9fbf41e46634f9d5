"""The entries of an allowlist or denylist: strict reading, one stored spelling, presets (SPEC N3).

`x.org` is the domain and its subdomains, `*.x.org` its subdomains only, `=x.org` that name only; an IP address is
always exact. `:port` may follow; without one an allow entry means ports 80 and 443, a deny entry every port.
`preset:NAME` stands for the package registries of the environment, found by `engine.network.registries`, and, unless
it is `preset:registries`, for the entries of a file in `presets/`.

Where requests are inspected (SPEC N4) an entry may be narrower: `GET,HEAD api.x.org/v1/*`. Methods stand before the
host, with a blank between; a path after it is that very path, or with `/*` at its end everything below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import UsageError
from engine.network.addresses import address_class
from engine.network.hosts import canonical_host, is_address, parse_port

PRESETS_DIR = Path(__file__).parent / "presets"
_PRESET = "preset:"
_REGISTRIES = "registries"
WEB_PORTS = (80, 443)
# The older IDNA standard, the one Python has, turns these into other letters and so names another domain.
_DEVIATING = frozenset("ßς\u200c\u200d")

Scope = Literal["domain", "subdomains", "exact"]
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_LEADING_METHODS = re.compile(r"([A-Z-]+(?:,[A-Z-]+)*) +(?=\S+$)")
_PATH = re.compile(r"/(?:[!$&'()+,;=:@A-Za-z0-9._~-]+/)*(?:\*|[!$&'()+,;=:@A-Za-z0-9._~-]*)")
# What a server may take for a step up or aside, in a path with its escapes resolved.
_STEPS = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:[/;]|$)")
_ESCAPE_LAYERS = 3
_SIGNS: dict[Scope, str] = {"domain": "", "subdomains": "*.", "exact": "="}


class Rule(Struct, frozen=True):
    """One entry of a list.

    Attributes:
        host: canonical host name (punycode) or IP address.
        scope: which names it covers.
        port: the one port it covers; None as the module says.
        preset: the preset it came from, empty when written by hand.
        methods: the HTTP methods it is limited to, None for all.
        path: the path it is limited to, or with `/*` at its end the paths; empty for all.
    """

    host: str
    scope: Scope
    port: int | None = None
    preset: str = ""
    methods: frozenset[str] | None = None
    path: str = ""

    def __str__(self) -> str:
        """The entry as it is stored; reading it again gives the same rule."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        sign = "" if is_address(self.host) else _SIGNS[self.scope]
        methods = f"{','.join(sorted(self.methods))} " if self.methods is not None else ""
        return f"{methods}{sign}{host}{f':{self.port}' if self.port else ''}{self.path}"

    @property
    def shown(self) -> str:
        """The entry as the request log names it, with the preset it came from."""
        return f"{self} ({_PRESET}{self.preset})" if self.preset else str(self)

    @property
    def narrow(self) -> bool:
        """Whether it looks at more than host and port."""
        return self.methods is not None or bool(self.path)

    def covers(self, host: str) -> bool:
        """Whether a canonical host is one of those this rule is about."""
        if self.scope != "subdomains" and host == self.host:
            return True
        return self.scope != "exact" and host.endswith(f".{self.host}")

    def admits(self, host: str, port: int) -> bool:
        """Whether this rule, on an allowlist, lets `host:port` through."""
        return (port == self.port if self.port else port in WEB_PORTS) and self.covers(host)

    def permits_path(self, path: str) -> bool:
        """Whether a request for `path` (with its query) is one of those this rule is about.

        No path that servers may read in several ways is: one with dot segments, in whatever escapes.
        """
        if not self.path:
            return True
        bare = path.partition("?")[0]
        matches = bare.startswith(self.path[:-1]) if self.path.endswith("/*") else bare == self.path
        return matches and _goes_straight(bare)

    def permits_method(self, method: str) -> bool:
        """Whether a request with this method is one of those this rule is about."""
        return self.methods is None or method in self.methods

    def bans(self, host: str, port: int) -> bool:
        """Whether this rule, on a denylist, stops `host:port`."""
        return self.port in (None, port) and self.covers(host)


def parse_rules(
    entries: Iterable[str], registries: Sequence[str] | None = None, *, inspect: bool = False
) -> tuple[Rule, ...]:
    """Read a list of entries, presets expanded, in their order.

    Args:
        registries: the entries of the package registries, None while they are not known.
        inspect: entries may name methods and a path.

    Raises:
        UsageError: an entry is not usable; names it, the reason, and what to write instead.
    """
    return tuple(rule for entry in entries for rule in parse_entry(entry, registries, inspect=inspect))


def parse_entry(entry: str, registries: Sequence[str] | None = None, *, inspect: bool = False) -> tuple[Rule, ...]:
    """The rules one entry stands for: one, or those of a preset.

    Raises:
        UsageError: as `parse_rules`.
    """
    text = entry.strip()
    if text.startswith(_PRESET):
        return preset_rules(text.removeprefix(_PRESET), registries)
    return (_parse_narrow_rule(text) if inspect else _parse_rule(text),)


def parse_methods(methods: Iterable[str]) -> frozenset[str]:
    """HTTP methods in upper case.

    Raises:
        UsageError: one of them is not a method.
    """
    names = frozenset(method.strip().upper() for method in methods)
    for name in sorted(names):
        if not _METHOD.fullmatch(name):
            raise UsageError(f"network method {name!a} is not an HTTP method", "write GET, HEAD, OPTIONS, POST, …")
    return names


def names_preset(entry: str) -> bool:
    """Whether an entry names a preset, whose rules depend on the package registries."""
    return entry.strip().startswith(_PRESET)


def preset_names() -> list[str]:
    """The presets that `preset:NAME` may name."""
    return sorted([_REGISTRIES, *(path.stem for path in PRESETS_DIR.glob("*.txt"))])


def preset_rules(name: str, registries: Sequence[str] | None) -> tuple[Rule, ...]:
    """The rules of a preset: those of its file, and the package registries, which are part of each (SPEC N3).

    Raises:
        UsageError: there is no such preset, or the registries are not known.
    """
    if name not in preset_names():
        raise UsageError(f"unknown preset {_quoted(name)}", f"known presets: {', '.join(preset_names())}")
    if registries is None:
        raise UsageError(
            f"{_PRESET}{name} holds the package registries of the environment, which are not known before its setup",
            "run a task of the environment once",
        )
    written = () if name == _REGISTRIES else _preset_file(name)
    return (*written, *(replace(_parse_rule(entry), preset=name) for entry in registries))


@cache
def _preset_file(name: str) -> tuple[Rule, ...]:
    """The rules of a file in `presets/`: one entry a line, `#` begins a comment."""
    lines = (PRESETS_DIR / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    entries = (text for line in lines if (text := line.partition("#")[0].strip()))
    rules = (_parse_rule(entry) for entry in entries)
    return tuple(Rule(rule.host, rule.scope, rule.port, preset=name) for rule in rules)


def _goes_straight(path: str) -> bool:
    for _ in range(_ESCAPE_LAYERS):
        before, path = path, unquote(path)
        if path == before:
            return _STEPS.search(path) is None
    return False


def _parse_narrow_rule(entry: str) -> Rule:
    """A rule that may begin with methods and end with a path."""
    leading = _LEADING_METHODS.match(entry)
    methods = None if leading is None else parse_methods(leading[1].split(","))
    rest = entry[leading.end() :] if leading else entry
    host, slash, path = rest.partition("/")
    if "://" in rest or not slash:
        return replace(_parse_rule(rest), methods=methods)
    if not _PATH.fullmatch(slash + path) or not _goes_straight(slash + path):
        raise _unusable(entry, "its path is not a plain one", "write x.org/path, or x.org/path/* for all below it")
    return replace(_parse_rule(host), methods=methods, path=slash + path)


def _parse_rule(entry: str) -> Rule:
    if entry in ("", "*", "*.", "="):
        raise _unusable(entry, "it names no host", 'write x.org; to allow every public host set agent = "full"')
    _refuse_url(entry)
    scope, rest = _split_scope(entry)
    host_text, port = _split_port(entry, rest)
    if "*" in host_text:
        raise _unusable(entry, "* may only stand for whole leading labels", "write *.x.org, x.org or =x.org")
    host = canonical_host(_punycode(entry, host_text))
    if host is None:
        raise _unusable(entry, "not a host name or an IP address in its usual spelling", "write a host such as x.org")
    if is_address(host):
        return _address_rule(entry, host, scope, port)
    if "." not in host:
        raise _unusable(entry, "a name without a dot is a local name or a whole top-level domain", "write x.org")
    return Rule(host, scope, port)


def _address_rule(entry: str, host: str, scope: Scope, port: int | None) -> Rule:
    if scope == "subdomains":
        raise _unusable(entry, "an IP address has no subdomains", f"write {host}")
    kind = address_class(host)
    if kind is not None:
        raise _unusable(entry, f"{kind} addresses are never reachable from a task", "write the name of a public host")
    return Rule(host, "exact", port)


def _refuse_url(entry: str) -> None:
    scheme, separator, rest = entry.partition("://")
    bare = (rest if separator else scheme).split("/")[0].rpartition("@")[2]
    if separator or any(sign in entry for sign in "/?#@\\"):
        narrow = "a path needs inspect = true" if "/" in entry and not separator else ""
        hints = (f"write {bare}" if canonical_host(bare) else "", narrow)
        raise _unusable(entry, "an entry is a host, not a URL", "; ".join(filter(None, hints)))
    if any(sign.isspace() or not sign.isprintable() for sign in entry):
        raise _unusable(entry, "it holds a blank or a control character", "write one host an entry")
    if entry.startswith("."):
        raise _unusable(entry, "it begins with a dot", f"write *{entry} for subdomains, {entry[1:]} for the domain too")


def _split_scope(entry: str) -> tuple[Scope, str]:
    if entry.startswith("="):
        return "exact", entry[1:]
    if entry.startswith("*."):
        return "subdomains", entry[2:]
    return "domain", entry


def _split_port(entry: str, text: str) -> tuple[str, int | None]:
    host, colon, port_text = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, None
    port = parse_port(port_text)
    if port is None or (":" in host and not host.endswith("]")):
        raise _unusable(entry, "the port is not a number from 1 to 65535", "write x.org:8443, or [2001:db8::1]:8443")
    return host, port


def _punycode(entry: str, host: str) -> str:
    """`host` in ASCII: international names in the form DNS knows."""
    if host.isascii():
        return host
    if not _DEVIATING.isdisjoint(host):
        raise _unusable(entry, "it holds a letter that two standards encode differently", "write its xn-- form")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _unusable(entry, "it is not a valid international name", "write its xn-- form") from None


def _unusable(entry: str, reason: str, hint: str) -> UsageError:
    return UsageError(f"network entry {_quoted(entry)}: {reason}", hint)


def _quoted(entry: str) -> str:
    return ascii(entry if len(entry) <= 80 else f"{entry[:77]}...")
