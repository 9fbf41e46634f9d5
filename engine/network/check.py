"""What an environment's network policy says, without a task: hosts judged, entries as they are stored (SPEC N3, L3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import UsageError
from engine.network.addresses import refused_class
from engine.network.hosts import is_address, show_authority, split_authority
from engine.network.policy import Policy, make_policy
from engine.network.rules import names_preset, parse_entry, parse_methods, preset_names

if TYPE_CHECKING:
    from engine.environment.model import Environment, Network

CheckedPhase = Literal["setup", "agent"]
# Setup and maintenance reach the public internet, never the host, its networks or metadata (SPEC N1).
PUBLIC = Policy(mode="full")
_HTTPS = 443


class Checked(Struct, frozen=True):
    """The policy's answer on one host and port; `rule` and `reason` as in `policy.Decision`."""

    host: str
    port: int
    allowed: bool
    rule: str
    reason: str


class Entry(Struct, frozen=True):
    """An entry of a list as written and as it is stored (SECURITY-CASES B11).

    Attributes:
        stored: the rules it stands for; empty when it is refused, or is a preset whose registries are not known.
        problem: why it is refused or not known yet, empty for a good one.
        hint: what to write instead.
        refused: whether a task with this entry would not start.
    """

    list: Literal["allow", "deny"]
    written: str
    stored: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""
    refused: bool = False


def phase_policy(environment: Environment, phase: CheckedPhase, registries: Sequence[str] | None) -> Policy:
    """What a phase may reach; setup's policy is maintenance's too.

    Args:
        registries: the entries of the environment's package registries; None while they are not known.

    Raises:
        UsageError: an entry of the allowlist or denylist is unusable, or names a preset while they are not known.
    """
    if phase == "setup":
        return PUBLIC
    network = environment.network
    return make_policy(
        network.agent,
        allow=network.allow,
        deny=network.deny,
        methods=network.methods or None,
        registries=registries,
        inspect=network.inspect,
    )


def needs_registries(environment: Environment) -> bool:
    """Whether the agent's policy depends on the package registries."""
    network = environment.network
    return network.agent != "off" and any(names_preset(entry) for entry in (*network.allow, *network.deny))


def check(
    environment: Environment,
    hosts: Iterable[str],
    phase: CheckedPhase = "agent",
    method: str | None = None,
    registries: Sequence[str] | None = None,
) -> list[Checked]:
    """Judge hosts as the gateway would; nothing is resolved, so a name that leads to a private address is not told.

    Args:
        hosts: `host` or `host:port`; port 443 when there is none.
        method: the HTTP method of the request; None for a tunnel whose requests are not seen.
        registries: as `phase_policy`; while they are not known, what is refused says that they could allow it.

    Raises:
        UsageError: a host, the method or an entry of the environment is unusable.
    """
    policy = phase_policy(environment, phase, registries or ())
    unknown = registries is None and phase == "agent" and needs_registries(environment)
    seen = None if method is None else next(iter(parse_methods([method])))
    return [_checked(policy, *_authority(host), seen, registries_unknown=unknown) for host in hosts]


def _authority(text: str) -> tuple[str, int]:
    authority = split_authority(text, _HTTPS)
    if authority is None:
        raise UsageError(f"{text!a} is not a host", "write x.org, x.org:8443 or [2001:db8::1]:443; no URL")
    return authority


def _checked(policy: Policy, host: str, port: int, method: str | None, *, registries_unknown: bool) -> Checked:
    decision = policy.decide(host, port, method)
    kind = "loopback" if f".{host}".endswith(".localhost") else refused_class(host) if is_address(host) else None
    if decision.allowed and kind is not None:
        reason = f"{show_authority(host, port)} was refused: {kind} addresses are never reachable from a task"
        return Checked(host, port, False, "", reason)
    reason = decision.reason
    if registries_unknown and decision.error == "blocked-by-allowlist" and not decision.allowed:
        reason += "; the package registries of its presets are not known before setup has run once"
    return Checked(host, port, decision.allowed, decision.rule, reason)


def entries(network: Network, registries: Sequence[str] | None = None) -> list[Entry]:
    """Every entry of both lists, in their order, as it is stored or with the reason it is not."""
    return [
        *(_entry(Entry("allow", written), registries, network.inspect) for written in network.allow),
        *(_entry(Entry("deny", written), registries, False) for written in network.deny),
    ]


def _entry(entry: Entry, registries: Sequence[str] | None, inspect: bool) -> Entry:
    try:
        rules = parse_entry(entry.written, registries, inspect=inspect)
        return replace(entry, stored=tuple(str(rule) for rule in rules))
    except UsageError as fault:
        known = entry.written.strip() in (f"preset:{name}" for name in preset_names())
        return replace(entry, problem=fault.message, hint=fault.hint, refused=not known)


def proof_target(policy: Policy) -> str:
    """A `host:port` the policy allows, for the self-test to try (SPEC T2); empty when it names none."""
    for rule in (*(policy.model.rules if policy.model else ()), *policy.allow):
        port = rule.port or _HTTPS
        if rule.scope != "subdomains" and policy.decide(rule.host, port, None).allowed:
            return show_authority(rule.host, port)
    return ""
