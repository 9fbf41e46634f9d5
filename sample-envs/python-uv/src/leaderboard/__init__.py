"""Who is where in a ranking, kept up to date as scores change."""

from __future__ import annotations

from sortedcontainers import SortedList


class Leaderboard:
    """The best score comes first."""

    def __init__(self) -> None:
        self._scores: dict[str, int] = {}
        self._sorted = SortedList()

    def add(self, player: str, points: int) -> None:
        """Give points to a player."""
        before = self._scores.get(player)
        if before is not None:
            self._sorted.remove(before)
        self._scores[player] = (before or 0) + points
        self._sorted.add(self._scores[player])

    def rank(self, player: str) -> int:
        """The place of a player, from 1; players with the same score share the better one."""
        return len(self._sorted) - self._sorted.bisect_left(self._scores[player])
