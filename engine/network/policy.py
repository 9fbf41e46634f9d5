"""What the gateway allows in one phase: a pure decision on host, port and method (SPEC N1, N3, N6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import UsageError
from engine.network.hosts import show_authority
from engine.network.rules import Rule, parse_rules

Mode = Literal["off", "limited", "full"]
ProxyError = Literal["blocked-by-allowlist", "blocked-by-denylist", "blocked-by-method-policy", "blocked-by-policy"]
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request.

    Attributes:
        rule: the rule that decided, as the log shows it; empty when none did.
        reason: one sentence for the log and for the agent; empty when allowed.
        error: the value of `x-proxy-error` when not allowed.
    """

    allowed: bool
    rule: str = ""
    reason: str = ""
    error: ProxyError = "blocked-by-policy"


@dataclass(frozen=True, slots=True)
class Policy:
    """The network policy of one phase.

    Attributes:
        mode: `off` allows nothing, `limited` what `allow` names, `full` every public host.
        allow: the allowlist of `limited`; empty allows nothing.
        deny: what is refused in every mode; it beats `allow`.
        methods: the HTTP methods allowed where the gateway sees them, None for all.
    """

    mode: Mode
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    methods: frozenset[str] | None = None

    @property
    def checks_tunnels(self) -> bool:
        """Whether a tunnel must carry TLS or HTTP for the very host it was opened to; otherwise any bytes may pass."""
        return self.mode == "limited" or self.methods is not None

    def decide(self, host: str, port: int, method: str | None) -> Decision:
        """Judge a request to a canonical host; `method` is None for a tunnel, whose requests are not seen.

        Method limits therefore bind plain HTTP only; for HTTPS they need TLS termination (SPEC N4).
        """
        where = show_authority(host, port)
        if self.mode == "off":
            return Decision(False, reason=f"{where} was refused: the internet is off in this phase")
        banned = next((rule for rule in self.deny if rule.bans(host, port)), None)
        if banned is not None:
            reason = f"{where} was refused: rule {banned.shown} denies it"
            return Decision(False, banned.shown, reason, "blocked-by-denylist")
        admitted = self._admission(host, port)
        if admitted is None:
            reason = f"{where} was refused: no rule allows it{self._near(host)}"
            return Decision(False, "", reason, "blocked-by-allowlist")
        if method is not None and self.methods is not None and method not in self.methods:
            reason = f"{method} to {where} was refused: allowed methods are {', '.join(sorted(self.methods)) or 'none'}"
            return Decision(False, admitted, reason, "blocked-by-method-policy")
        return Decision(True, admitted)

    def _admission(self, host: str, port: int) -> str | None:
        if self.mode == "full":
            return "full"
        return next((rule.shown for rule in self.allow if rule.admits(host, port)), None)

    def _near(self, host: str) -> str:
        rule = next((rule for rule in self.allow if rule.covers(host)), None)
        return f" on this port (rule {rule.shown} allows others)" if rule else ""


def make_policy(
    mode: Mode,
    *,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    methods: Iterable[str] | None = None,
    registries: Sequence[str] | None = None,
) -> Policy:
    """A policy from what an environment file says, every entry read strictly.

    Args:
        registries: the entries of the package registries, which presets hold; None while they are not known.

    Raises:
        UsageError: an unknown mode, an entry or a method that is not usable.
    """
    if mode not in ("off", "limited", "full"):
        raise UsageError(f"unknown network mode {mode!a}", "write off, limited or full")
    return Policy(
        mode,
        parse_rules(allow, registries),
        parse_rules(deny, registries),
        None if methods is None else parse_methods(methods),
    )


def parse_methods(methods: Iterable[str]) -> frozenset[str]:
    """HTTP methods in upper case.

    Raises:
        UsageError: one of them is not a method.
    """
    names = frozenset(method.strip().upper() for method in methods)
    for name in sorted(names):
        if not _METHOD.fullmatch(name):
            raise UsageError(f"network method {name!a} is not an HTTP method", "write GET, HEAD, OPTIONS, POST, …")
    return names
