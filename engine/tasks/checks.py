"""Which commands of an agent were tests: attempts are compared by how theirs ended (SPEC T6)."""

from __future__ import annotations

import re

_RUNS_TESTS = re.compile(
    r"""(?:^|[\s=/])(?:
        (?:pytest|py\.test|tox|nox|jest|vitest|mocha|ava|phpunit|rspec|ctest|bats|unittest)(?=\s|$)
      | (?:npm|yarn|pnpm|bun|deno|cargo|go|dotnet|mix|swift|flutter|rails|rake|manage\.py)
        \s+(?:run\s+)?t(?:est)?(?=[\s:]|$)
      | cargo\s+nextest\s+run(?=\s|$)
      | (?:make|just|mvn|mvnw|gradle|gradlew|bazel|meson|ninja)\s(?:.*\s)?(?:test|check|verify)(?=\s|$)
    )""",
    re.VERBOSE,
)
# Programs that name tests without running them: what installs a runner, what looks for its name.
_ONLY_NAMES = re.compile(
    r"""\s*(?:\w+=\S*\s+|sudo\s+)*(?:\S*/)?(?:
        (?:pip[\d.]*|apt|apt-get|cat|rg|grep|git|ls|which|type|command|echo|printf|sed|head|tail|find|rm|mkdir)
      | python[\d.]*\s+-m\s+pip | uv\s+(?:add|pip) | poetry\s+add | (?:npm|pnpm|yarn|bun)\s+(?:i|install|add|ci)
    )(?=\s|$)""",
    re.VERBOSE,
)


def is_test(command: str) -> bool:
    """Whether a shell line runs tests, as far as its words tell."""
    parts = re.split(r"""[;&|\n()'"`]+""", command)
    return any(_RUNS_TESTS.search(part) and not _ONLY_NAMES.match(part) for part in parts)
