"""Files of other tools as plain data, within limits that keep any file harmless (SECURITY-CASES B01).

What comes out is made of dicts with text keys, lists, text, numbers, booleans and None, at most `MAX_DEPTH` deep, and
can be encoded. Every function raises `BadValue` for what it cannot read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.environment import document
from engine.environment.kinds import BadValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Event

MAX_DEPTH = 32
# Its parser takes a second for a tenth of a megabyte; real workflows have a few thousand bytes.
MAX_YAML_BYTES = 1 << 17
# Values and their characters, with what aliases repeat: they can stand for much more than is written.
MAX_YAML_SIZE = 1 << 20
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]++|\\.)*+"?)|(?P<comment>//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?)
    |(?P<comma>,)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<space>\s++)|(?P<other>[^\s"/,\[\]{}]++|/)""",
    re.VERBOSE | re.DOTALL,
)


def is_file(path: Path) -> bool:
    """Whether there is a file; a path that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def text(path: Path) -> str:
    """The content of a UTF-8 file, without byte order mark and with plain line ends."""
    data = document.read_bytes(path)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadValue(f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None


def toml_table(path: Path) -> dict[str, Any]:
    """The data of a TOML file."""
    try:
        return document.parse(text(path).encode())[0]
    except document.NotToml as error:
        where = f"line {error.line}: " if error.line else ""
        raise BadValue(f"{where}{error.message}", error.hint) from None


def json_table(path: Path) -> dict[str, Any]:
    """The data of a JSON file, which may have comments and commas before a closing bracket, as editors allow."""
    try:
        data = json.loads(_strict_json(text(path)), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise BadValue(f"line {error.lineno}: not valid JSON: {error.msg}", "see https://json.org") from None
    except (ValueError, RecursionError):
        raise BadValue("has a number that is out of range", "check its numbers") from None
    return _table(data)


def yaml_table(path: Path) -> dict[str, Any]:
    """The data of a YAML file; every scalar is text as it is written: `on`, `3.10` and `yes` mean only themselves."""
    import yaml

    source = text(path)
    if len(source.encode()) > MAX_YAML_BYTES:
        raise BadValue(f"is larger than {MAX_YAML_BYTES >> 10} KiB")
    try:
        return _table(_Tree().document(yaml.parse(source, Loader=yaml.BaseLoader)))
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BadValue(f"{where}not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise BadValue("not valid YAML: it holds characters that YAML does not allow") from None


def _table(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadValue("must be a table of keys and values")
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadValue("holds half of a surrogate pair, which is no character") from None
    return data


def _no_number(name: str) -> object:
    raise ValueError(name)


def _strict_json(source: str) -> str:
    """`source` with its comments blanked and its trailing commas dropped; line numbers stay."""
    parts: list[str] = []
    comma, depth = -1, 0
    for token in _TOKEN.finditer(source):
        kind, word = token.lastgroup, token.group()
        if kind == "comment":
            # A space, since `1/**/2` is not 12; the line breaks, since faults are told by line.
            parts.append(" " + "\n" * word.count("\n"))
            continue
        depth += (kind == "open") - (kind == "close")
        if depth > MAX_DEPTH:
            raise BadValue(f"is nested deeper than {MAX_DEPTH} levels")
        if kind == "close" and comma >= 0:
            parts[comma] = ""
        if kind != "space":
            comma = len(parts) if kind == "comma" else -1
        parts.append(word)
    return "".join(parts)


class _Node(NamedTuple):
    """A value, its size and its depth, both with all that aliases in it repeat."""

    value: Any
    size: int
    depth: int


class _Tree:
    """Makes data of YAML's events. It knows no tags, so nothing is ever constructed but dicts, lists and text."""

    def __init__(self) -> None:
        self._anchors: dict[str | None, _Node] = {}
        self._size = 0

    def document(self, events: Iterator[Event]) -> Any:
        """The value of the only document in the stream."""
        import yaml

        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                if found:
                    raise BadValue("holds several YAML documents", "keep one")
                found.append(self._node(event, events, 0).value)
        return found[0] if found else None

    def _node(self, event: Event, events: Iterator[Event], level: int) -> _Node:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise BadValue(f"refers to an anchor that is not there: {str(event.anchor)[:40]!r}")
            node = self._anchors[event.anchor]
            self._grow(node.size, level + node.depth)
        elif isinstance(event, yaml.ScalarEvent):
            node = _Node(event.value, 1 + len(event.value), 0)
            self._grow(node.size, level)
        else:
            self._grow(1, level)
            made = self._list if isinstance(event, yaml.SequenceStartEvent) else self._dict
            node = made(events, level + 1)
        if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent) and event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _list(self, events: Iterator[Event], level: int) -> _Node:
        import yaml

        nodes = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, events, level))
        return _around([node.value for node in nodes], nodes)

    def _dict(self, events: Iterator[Event], level: int) -> _Node:
        import yaml

        nodes, items = [], {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, level)
            if not isinstance(key.value, str):
                raise BadValue("has a key that is no text")
            value = self._node(next(events), events, level)
            items[key.value] = value.value
            nodes += [key, value]
        return _around(items, nodes)

    def _grow(self, size: int, depth: int) -> None:
        self._size += size
        if depth > MAX_DEPTH:
            raise BadValue(f"is nested deeper than {MAX_DEPTH} levels")
        if self._size > MAX_YAML_SIZE:
            raise BadValue("holds more than a million characters, counting what aliases repeat")


def _around(value: Any, nodes: list[_Node]) -> _Node:
    """The node of a list or dict with these nodes in it."""
    return _Node(value, 1 + sum(node.size for node in nodes), 1 + max((node.depth for node in nodes), default=0))
