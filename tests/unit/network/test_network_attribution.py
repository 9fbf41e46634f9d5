"""Which command caused a request, and how sure that is (SPEC N6)."""

from __future__ import annotations

from engine.network.attribution import Attribution, Cause


def test_the_only_command_is_sure() -> None:
    ran = Attribution()
    ran.started("0001", 10.0)
    assert ran.at(9.9) == Cause("", False)
    assert ran.at(10.0) == Cause("0001", True)
    ran.finished("0001", 20.0)
    assert ran.at(15.0) == Cause("0001", True)
    assert ran.at(20.1) == Cause("", False)


def test_of_several_commands_the_latest_is_named_unsure() -> None:
    ran = Attribution()
    ran.started("0001", 10.0)
    ran.started("0002", 12.0)
    assert ran.at(11.0) == Cause("0001", True)
    assert ran.at(13.0) == Cause("0002", False)
    ran.finished("0002", 14.0)
    assert ran.at(15.0) == Cause("0001", True)
    assert ran.at(13.0) == Cause("0002", False)
