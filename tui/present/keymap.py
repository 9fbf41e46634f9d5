"""The user's own keys: the table `[keys]` of `config.toml`, from the id of an action to a key or several (SPEC W7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from textual.keys import Keys, _character_to_key

from tui.present import actions
from tui.present.actions import ACTIONS, GROUPS, Action

_EVERYWHERE = ("everywhere", "list")
_MODIFIERS = ("ctrl", "shift", "alt")
_ON_KEYBOARD = {_character_to_key(chr(code)) for code in range(32, 127)}
_KNOWN = {key.value for key in Keys if "+" not in key.value and "<" not in key.value} | _ON_KEYBOARD


def key_name(written: str) -> str:
    """Textual's name of a key as users write it (`D`, `/`, `ctrl+d`, `^d`, `PgUp`, `slash`); empty for no key."""
    if written in actions.SHOWN:
        return actions.SHOWN[written]
    if len(written) == 1:
        return _character_to_key(written) if written.isprintable() else ""
    *modifiers, last = written.split("+") if not written.startswith("^") else ("ctrl", written[1:].lower())
    if any(modifier.lower() not in _MODIFIERS for modifier in modifiers):
        return ""
    last = last if last in actions.SHOWN or (not modifiers and len(last) == 1) else last.lower()
    name = actions.SHOWN.get(last) or (_character_to_key(last) if len(last) == 1 else last)
    return "+".join([*(modifier.lower() for modifier in modifiers), name]) if name in _KNOWN else ""


def read(table: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The keys of the actions that the table changes, and a sentence for each entry that is not used."""
    problems = []
    changed: dict[str, tuple[str, ...]] = {}
    for name, value in table.items():
        found = _entry(name, value)
        if isinstance(found, str):
            problems.append(found)
        else:
            changed[name] = found
    # Taking an entry back gives an action its own key again, which another entry may have taken: so until none clashes.
    while clash := next(_clashes(changed), None):
        action, other, key = clash
        del changed[action.id]
        where = GROUPS[other.group] if other.group != action.group else GROUPS[action.group]
        problems.append(
            f"keys.{action.id}: {actions.shown(key)} is the key of {other.id} ({where}): give that one another key too"
        )
    return changed, problems


def _entry(name: str, value: Any) -> tuple[str, ...] | str:
    """The keys an entry gives, or what is wrong with it."""
    ids = [action.id for action in ACTIONS]
    if name not in ids:
        near = get_close_matches(name, ids, 1)
        return f"keys.{name}: there is no such action" + (f"; did you mean {near[0]}?" if near else "")
    written = [value] if isinstance(value, str) else value
    if not isinstance(written, list) or not written or not all(isinstance(key, str) for key in written):
        return f'keys.{name} = {value!r} is neither a key, as in "ctrl+d", nor a list of keys'
    keys = []
    for key in written:
        named = key_name(key)
        if not named:
            near = get_close_matches(key.lower(), _KNOWN, 1)
            return f"keys.{name}: {key!r} is not a key" + (f"; did you mean {near[0]}?" if near else "")
        keys.append(named)
    return tuple(dict.fromkeys(keys))


def _clashes(changed: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Action, Action, str]]:
    """Changed actions that would get the key of another where both work; what shares a key by itself may go on."""
    for action in ACTIONS:
        for key in changed.get(action.id, ()):
            for other in ACTIONS:
                if other is action or key not in changed.get(other.id, other.keys) or not _meet(action, other):
                    continue
                if not (key in action.keys and key in other.keys):
                    yield action, other, key


def _meet(one: Action, other: Action) -> bool:
    return one.group == other.group or one.group in _EVERYWHERE or other.group in _EVERYWHERE
