"""The cleaning boundary (SPEC W11): whatever a container, a repository or a model wrote is data, never instructions.

What comes out holds no control character but tab and newline, no character that is invisible or changes the
direction of its neighbours, and no escape sequence; what was there instead is shown (`␛`, `⟨202E⟩`, U+FFFD).
Only `clean_output` keeps one kind of sequence, the colours of a program's output, for `tui.present.sgr` to read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.content import Content

# Long runs of combining marks on one letter hang terminals; four are more than any written language stacks.
_MARKS = "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_MARKS += "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ufe20-\ufe2f"
_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSAFE = rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}]"
# Each begins with one character class, which the regular expression engine searches fast.
_DATA = re.compile(_UNSAFE)
_OUTPUT = re.compile(rf"{_UNSAFE}(?:(?<!\x1b)|(?!\[[0-9;:]{{0,48}}m)(?:\[[0-?]{{0,32}}[ -/]{{0,2}}[@-~])?)")
_STACKED = re.compile(rf"[{_MARKS}](?<=[{_MARKS}]{{4}})[{_MARKS}]+")
_PICTURE = re.compile(f"[{_EMOJI}]")

ESCAPE = "␛"


def clean(text: str) -> str:
    """Text with everything a terminal would act on, or a reader would not see, made visible; tabs and newlines stay."""
    if text.isascii():
        return text if text.isprintable() else _DATA.sub(_visible, text)
    return _STACKED.sub(_counted, _DATA.sub(_visible, text))


def clean_output(text: str) -> str:
    """As `clean`, but colour sequences (SGR) stay and any other CSI sequence is one `␛`; for `sgr.spans` only."""
    if text.isascii():
        return text if text.isprintable() else _OUTPUT.sub(_visible, text)
    return _STACKED.sub(_counted, _OUTPUT.sub(_visible, text))


def has_hidden(data: bytes) -> bool:
    """Whether UTF-8 text holds characters that reorder or hide text (SECURITY-CASES T06)."""
    return _HIDDEN_BYTES.search(data) is not None


_HIDDEN_BYTES = re.compile(
    rb"\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xf3\xa0[\x80-\xbf]|\xd8\x9c|\xe1\x85[\x9f\xa0]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group()[0])
    if code == 0 or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # The selector that asks for the coloured or the plain form of a picture says nothing.
    if code in (0xFE0E, 0xFE0F) and _PICTURE.match(match.string, max(0, match.start() - 1), match.start()):
        return ""
    return f"⟨{code:04X}⟩"


def _counted(match: re.Match[str]) -> str:
    return f"{match.group()[0]}⟨+{len(match.group()) - 1}⟩"


def one_name(path: str) -> str:
    """A path, or anything else that has to stay on one line; what would break the line is shown."""
    return clean(path).replace("\n", "␊").replace("\t", "␉")


def one_line(text: str, limit: int = 500) -> str:
    """The first line of a text that says something, cleaned; `…` stands for what follows."""
    lines = text.strip().splitlines()
    first = lines[0].strip() if lines else ""
    more = len(lines) > 1 or len(first) > limit
    return clean(first[:limit]).replace("\t", " ").replace("\n", " ") + (" …" if more else "")


def content(*parts: str | tuple[str, str]) -> Content:
    """Content of cleaned text for widgets that take Content: strings, or pairs of text and Textual style."""
    from textual.content import Content

    return Content.assemble(*(clean(part) if isinstance(part, str) else (clean(part[0]), part[1]) for part in parts))
