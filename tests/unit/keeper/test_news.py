"""What the keeper's journal says of an environment."""

from __future__ import annotations

from typing import Any

from engine.keeper.news import News
from engine.tasks.events import Kept


def told(action: Any, status: Any, path: str = "/a.toml", **more: Any) -> Kept:
    return Kept(environment="a", environment_path=path, action=action, status=status, **more)


def test_a_refresh_from_its_start_to_its_end() -> None:
    news = News().apply([told("refresh", "started", job="j1"), told("refresh", "started", "/b.toml")])
    assert news.of("/a.toml").running == told("refresh", "started", job="j1")
    assert news.of("/a.toml").last is None
    news.apply([told("refresh", "failed", job="j1", tail="why"), told("standby", "done")])
    assert news.of("/a.toml").running is None
    assert news.of("/a.toml").last == told("refresh", "failed", job="j1", tail="why")
    assert news.of("/b.toml").running is not None
    assert news.of("/c.toml").last is None


def test_waiting_ends_when_anything_else_happens() -> None:
    news = News().apply([told("watch", "waiting", reason="not trusted")])
    waiting = news.of("/a.toml").waiting
    assert waiting is not None
    assert waiting.reason == "not trusted"
    assert news.apply([told("watch", "ended")]).of("/a.toml").waiting is None


def test_what_a_dead_keeper_began_is_neither_running_nor_a_result() -> None:
    news = News().apply([told("rebuild", "done", job="j1"), told("refresh", "started"), told("refresh", "ended")])
    assert news.of("/a.toml").running is None
    assert news.of("/a.toml").last == told("rebuild", "done", job="j1")
