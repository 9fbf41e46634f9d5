"""Opening the allowlist of an environment for one more entry, from the command line or a denial on screen (SPEC N6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.environment.edit import add_allowed
from engine.errors import UsageError
from engine.network.hosts import is_address
from engine.network.rules import WEB_PORTS, Rule, names_preset, parse_entry, parse_rules, preset_names

if TYPE_CHECKING:
    from engine.environment.model import Environment


def one_rule(entry: str, *, inspect: bool = False) -> Rule:
    """The rule that an entry for a host stands for.

    Raises:
        UsageError: it is not usable, or names a preset.
    """
    if names_preset(entry):
        raise UsageError(f"{entry!a} is a preset", "name one host, such as x.org")
    return parse_entry(entry, inspect=inspect)[0]


def entry_for(host: str, port: int) -> str:
    """The narrowest entry that lets a host of the request log through: that very name, its port if it is not the web's.

    Raises:
        UsageError: no entry can: it is no public host.
    """
    name = f"[{host}]" if ":" in host else host
    sign = "" if is_address(host) else "="
    return str(one_rule(f"{sign}{name}" if port in WEB_PORTS else f"{sign}{name}:{port}"))


def allow_in_file(environment: Environment, entry: str) -> tuple[str, bool]:
    """Add an entry to the environment's file; returns it as stored, and whether the file had to be changed.

    Raises:
        UsageError: it is not usable, or would have no effect.
        EngineError: the file cannot be edited.
    """
    network = environment.network
    stored = _stored(entry, network.inspect)
    if network.agent != "limited":
        reason = "off" if network.agent == "off" else "open to every public host already"
        raise UsageError(
            f"{environment.path}: the agent's internet is {reason}",
            'set agent = "limited" in [network] first' if network.agent == "off" else "remove it from deny instead",
        )
    if not names_preset(stored):
        _refuse_denied(environment, one_rule(stored, inspect=network.inspect))
    if stored in {_stored(written, network.inspect) for written in network.allow}:
        return stored, False
    add_allowed(environment, stored)
    return stored, True


def _stored(entry: str, inspect: bool) -> str:
    if not names_preset(entry):
        return str(one_rule(entry, inspect=inspect))
    name = entry.strip().partition(":")[2]
    if name not in preset_names():
        raise UsageError(f"unknown preset {name!a}", f"known presets: {', '.join(preset_names())}")
    return f"preset:{name}"


def _refuse_denied(environment: Environment, rule: Rule) -> None:
    denied = parse_rules(entry for entry in environment.network.deny if not names_preset(entry))
    for ban in denied:
        if ban.bans(rule.host, rule.port or 443) and rule.scope != "subdomains":
            raise UsageError(f"{environment.path}: {ban} in deny stops {rule}", f"remove {ban} from deny")
