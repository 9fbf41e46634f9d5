"""A text that is looked for, capital or small, and where it stands in what is shown."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct


@lru_cache(maxsize=8)
def pattern(needle: str) -> re.Pattern[bytes]:
    """Finds a text in UTF-8, each of its letters capital or small."""
    letters = (sorted({c, c.lower(), c.upper()}) for c in needle)
    either = (b"|".join(re.escape(form.encode("utf-8", "replace")) for form in forms) for forms in letters)
    return re.compile(b"".join(b"(?:%s)" % forms for forms in either))


class Needle(Struct, frozen=True):
    """What is looked for; `only`: what does not have it is not shown."""

    text: str
    only: bool = False

    def found_in(self, text: str) -> bool:
        """Whether a text has it."""
        return self.text.lower() in text.lower()


def places(text: str, needle: str) -> list[tuple[int, int]]:
    """Where a line has what is looked for, capital or small."""
    lowered, wanted = text.lower(), needle.lower()
    if len(lowered) != len(text):
        return []
    return [(match.start(), match.end()) for match in re.finditer(re.escape(wanted), lowered)]
