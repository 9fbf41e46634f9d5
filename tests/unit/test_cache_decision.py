"""The cache's decision: what is a hit, what a miss names, what the clock may do (SPEC C1–C3, SECURITY-CASES C08)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.cache.decision import Maintained, Snapshot, decide, from_labels, to_labels
from engine.cache.key import Key
from engine.durations import words

KEY = Key("k1", {"setup script": "a", "image": "i", "variable X": "x"}, {"setup script": ["1", "2", "3"]})
SNAPSHOT = Snapshot("sha256:1", "web-1", "web", KEY, 1000.0, "abc", 12.5, 99)
HOUR = 3600.0
TTL = 12 * HOUR


def decision(snapshots: list[Snapshot], key: Key = KEY, now: float = 1000.0 + HOUR, reset_at: float | None = None):  # type: ignore[no-untyped-def]
    return decide(snapshots, key, now=now, ttl=TTL, reset_at=reset_at, enabled=True)


def test_a_young_snapshot_with_the_same_key_is_a_hit_that_says_its_age() -> None:
    found = decision([SNAPSHOT])
    assert (found.result, found.image, found.age_seconds) == ("hit", "sha256:1", HOUR)
    assert "age 1h00m" in found.reason
    assert found.expires_in_seconds == TTL - HOUR


def test_without_a_snapshot_it_is_a_miss() -> None:
    assert (decision([]).result, decision([]).reason) == ("miss", "no snapshot yet")


def test_a_miss_names_what_changed_and_how_many_lines() -> None:
    other = Key("k2", {**KEY.components, "setup script": "b"}, {"setup script": ["1", "9", "3"]})
    found = decision([SNAPSHOT], other)
    assert found.result == "miss"
    assert found.changed == ("setup script changed (1 line)",)
    assert found.reason == "setup script changed (1 line) · age 1h00m"


def test_a_miss_names_variables_that_came_and_went() -> None:
    other = Key("k2", {"setup script": "a", "image": "i", "variable Y": "y"}, KEY.lines)
    assert decision([SNAPSHOT], other).changed == ("variable X removed", "variable Y added")


@pytest.mark.parametrize(
    ("age", "result"), [(TTL - 60, "hit"), (TTL + 60, "miss"), (TTL, "miss"), (-1, "miss"), (-13 * HOUR, "miss")]
)
def test_age_decides_also_when_the_clock_was_moved(age: float, result: str) -> None:
    assert decision([SNAPSHOT], now=1000.0 + age).result == result


def test_a_reset_counts_for_what_was_made_before_it() -> None:
    found = decision([SNAPSHOT], reset_at=1500.0)
    assert found.result == "miss"
    assert found.reason.startswith("cache reset")
    assert decision([SNAPSHOT], reset_at=500.0).result == "hit"
    assert decision([], reset_at=500.0).reason.startswith("cache reset")


def test_the_newest_matching_snapshot_is_taken_even_behind_newer_others() -> None:
    other = replace(SNAPSHOT, image="sha256:2", key=Key("k9", {}, {}), created_at=2000.0)
    assert decision([other, SNAPSHOT]).image == "sha256:1"


def test_the_state_that_maintenance_left_for_the_same_files_is_taken_else_that_of_setup() -> None:
    one = replace(SNAPSHOT, image="sha256:one", maintained=Maintained(2000.0, {"lock": "1"}, SNAPSHOT.image))
    two = replace(SNAPSHOT, image="sha256:two", maintained=Maintained(3000.0, {"lock": "2"}, SNAPSHOT.image))

    def taken(watched: dict[str, str], now: float = 4000.0) -> str:
        stored = [two, SNAPSHOT, one]
        return decide(stored, KEY, now=now, ttl=TTL, reset_at=None, enabled=True, watched=watched).image

    assert taken({"lock": "1"}) == "sha256:one"
    assert taken({"lock": "2"}) == "sha256:two"
    assert taken({"lock": "3"}) == SNAPSHOT.image
    assert taken({"lock": "2"}, now=1000.0 + TTL) == ""


def test_off_is_off() -> None:
    assert decide([SNAPSHOT], KEY, now=1001, ttl=TTL, reset_at=None, enabled=False).result == "off"


@given(st.text(), st.floats(0, 4e9), st.dictionaries(st.text(), st.text()))
def test_labels_carry_a_snapshot_unchanged(name: str, created: float, components: dict[str, str]) -> None:
    maintained = Maintained(created, components, name) if components else None
    key = Key("k", components, {"s": ["1"]})
    snapshot = replace(SNAPSHOT, name=name, created_at=created, key=key, maintained=maintained)
    assert from_labels("sha256:1", 99, to_labels(snapshot, "me")) == snapshot


def test_foreign_labels_are_no_snapshot() -> None:
    assert from_labels("sha256:1", 1, {"fumehood": "1"}) is None
    assert from_labels("sha256:1", 1, {**to_labels(SNAPSHOT, "me"), "fumehood.created": "x"}) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (185, "3m05s"), (15120, "4h12m"), (183600, "2d3h")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert words(seconds) == text
