"""What a collection removes: never what is in use or carries it, never the newest under the cap (SPEC C9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.cache.gc import Item, plan

NOW = 1_000_000.0
ROOT = Item("root", "snapshot", "web", "web:a", "base", NOW - 100, NOW - 100, 50)


@st.composite
def forests(draw: st.DrawFn) -> list[Item]:
    """Images of a few environments, each on one made before it or on none of ours."""
    items: list[Item] = []
    for number in range(draw(st.integers(0, 12))):
        environment = draw(st.sampled_from("abc"))
        parents = [item.image for item in items if item.environment == environment]
        made = NOW - draw(st.integers(0, 50))
        items.append(
            Item(
                image=f"i{number}",
                kind=draw(st.sampled_from(["snapshot", "snapshot", "build", "task base"])),
                environment=environment,
                name=f"{environment}:{number}",
                parent=draw(st.sampled_from(["", *parents])),
                made_at=made,
                changed_at=made,
                size_bytes=draw(st.integers(0, 10)),
                in_use=draw(st.booleans()),
                dead=draw(st.sampled_from(["", "", "expired"])),
            )
        )
    return items


@given(forests(), st.integers(0, 100), st.one_of(st.none(), st.integers(0, 60)))
def test_what_is_in_use_stays_with_all_it_stands_on(items: list[Item], cap: int, age: float | None) -> None:
    going = [removal.item for removal in plan(items, now=NOW, max_bytes=cap, max_age=age)]
    left = [item for item in items if item not in going]
    assert not [item for item in going if item.in_use]
    carrying = {item.parent for item in left}
    assert not [item for item in going if item.image in carrying]
    # In an order in which it can be done.
    for place, item in enumerate(going):
        assert item.image not in {other.parent for other in going[place + 1 :]}


@given(forests(), st.integers(0, 100))
def test_the_cap_holds_or_nothing_more_can_go(items: list[Item], cap: int) -> None:
    gone = {removal.item.image for removal in plan(items, now=NOW, max_bytes=cap)}
    left = [item for item in items if item.image not in gone]
    carrying = {item.parent for item in left}
    assert sum(item.size_bytes for item in left) <= cap or all(i.in_use or i.image in carrying for i in left)
    assert all(item.in_use or item.image in carrying for item in left if item.dead)


def test_what_is_dead_goes_with_the_last_that_stood_on_it() -> None:
    dead = replace(ROOT, dead="expired", size_bytes=0)
    child = replace(ROOT, image="child", parent="root", size_bytes=60)
    assert reasons(dead, child, cap=50) == {"child": "the cache is larger than 50 B", "root": "expired"}


@given(forests())
def test_under_the_cap_only_the_dead_go(items: list[Item]) -> None:
    going = plan(items, now=NOW, max_bytes=10_000)
    assert all(removal.item.dead == removal.reason != "" for removal in going)


def reasons(*items: Item, cap: int = 1000, age: float | None = None) -> dict[str, str]:
    return {r.item.image: r.reason for r in plan(items, now=NOW, max_bytes=cap, max_age=age)}


def test_over_the_cap_the_newest_of_each_environment_goes_last() -> None:
    old = replace(ROOT, image="old", changed_at=NOW - 900)
    other = replace(ROOT, image="other", environment="api", changed_at=NOW - 950)
    found = reasons(ROOT, old, other, cap=100)
    assert list(found) == ["old"]
    assert found["old"] == "the cache is larger than 100 B"
    assert list(reasons(ROOT, old, other, cap=99)) == ["old", "other"]
    assert list(reasons(ROOT, old, other, cap=0)) == ["old", "other", "root"]


def test_a_refreshed_state_goes_before_what_it_stands_on() -> None:
    refreshed = replace(ROOT, image="refreshed", parent="root", changed_at=NOW)
    assert list(reasons(refreshed, ROOT, cap=0)) == ["refreshed", "root"]
    assert reasons(replace(refreshed, in_use=True), ROOT, cap=0) == {}
    assert reasons(refreshed, replace(ROOT, dead="expired")) == {}


def test_an_age_is_for_snapshots() -> None:
    build = replace(ROOT, image="build", kind="build", made_at=0.0)
    assert reasons(build, ROOT, age=100) == {"root": "1m40s old"}
    assert reasons(build, ROOT, age=101) == {}
