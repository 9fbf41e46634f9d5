"""Syntax colours for the lines of a diff that are on the screen, by Pygments; a fault in a lexer costs only colour."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.style import Style

from tui.present.row import Span

if TYPE_CHECKING:
    from pygments.lexer import Lexer

# Longer lines are not source that anyone reads, and regular expressions may take for ever on them.
_LONGEST_LINE = 400


@lru_cache(maxsize=64)
def lexer_for(name: str) -> Lexer | None:
    """The lexer for files of this name, chosen by the name alone."""
    from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename

    file = name.rpartition("/")[2][-100:]
    try:
        only = _only_lexer_of(file)
        found: Any = find_lexer_class_by_name(only) if only else find_lexer_class_for_filename(file)
        return found(stripnl=False, ensurenl=False) if found else None
    except Exception:
        # A lexer is chosen by patterns of many authors: whatever goes wrong there, the line is shown plain.
        return None


def highlight(lines: list[str], name: str) -> list[list[Span]]:
    """The lines of one piece of a file, cut into spans with syntax roles."""
    lexer = lexer_for(name)
    plain: list[list[Span]] = [[(line, "")] for line in lines]
    if lexer is None or not lines or any(len(line) > _LONGEST_LINE for line in lines):
        return plain
    try:
        found: list[list[Span]] = [[]]
        for token, text in lexer.get_tokens("\n".join(lines)):
            first, *more = text.split("\n")
            role = _role(token)
            if first:
                found[-1].append((first, role))
            for part in more:
                found.append([(part, role)] if part else [])
    except Exception:
        return plain
    if ["".join(text for text, _ in line) for line in found[: len(lines)]] != lines:
        return plain
    return found[: len(lines)]


def _only_lexer_of(file: str) -> str:
    """The name of the only lexer that knows files of this name; "" when there are several, or none.

    Pygments compiles the patterns of all its lexers to find one (40 ms), which the first screen of a diff waits for.
    """
    endings, unusual = _patterns()
    names = [file, *(f"*{file[at:]}" for at, character in enumerate(file) if character == ".")]
    found = {alias for name in names for alias in endings.get(name, ())}
    if len(found) != 1 or any(fnmatchcase(file, pattern) for pattern in unusual):
        return ""
    return found.pop()


@lru_cache(maxsize=1)
def _patterns() -> tuple[dict[str, list[str]], list[str]]:
    """The lexers by the names of files and by `*.ending`, and the patterns that are neither."""
    from pygments.lexers import get_all_lexers

    endings: dict[str, list[str]] = {}
    unusual = []
    for _, aliases, patterns, _ in get_all_lexers(plugins=False):
        for pattern in patterns:
            rest = pattern.removeprefix("*")
            if any(character in rest for character in "*?[") or (rest != pattern and not rest.startswith(".")):
                unusual.append(pattern)
            elif aliases:
                endings.setdefault(pattern, []).append(aliases[0])
    return endings, unusual


@lru_cache(maxsize=512)
def _role(token: Any) -> str | Style:
    kinds = str(token)
    for prefix, role in (
        ("Token.Keyword", "keyword"),
        ("Token.Operator.Word", "keyword"),
        ("Token.Literal.String", "string"),
        ("Token.Literal.Number", "number"),
        ("Token.Comment", "comment"),
        ("Token.Name.Function", "name"),
        ("Token.Name.Class", "name"),
        ("Token.Name.Decorator", "name"),
        ("Token.Name.Tag", "name"),
        ("Token.Name.Builtin", "name"),
        ("Token.Name.Attribute", "number"),
    ):
        if kinds.startswith(prefix):
            return role
    return ""
