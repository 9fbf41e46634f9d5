"""Requests that are not served, and how that is told to the container (SPEC N6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.network.policy import Policy
from engine.network.record import Verdict
from engine.network.request import Request

if TYPE_CHECKING:
    from engine.network.model import Budget

_SHOWN_STATUS = 500


class Refused(Exception):
    """Ends a request that is not served; `error` is the value of `x-proxy-error`."""

    def __init__(self, status: str, verdict: Verdict, reason: str, error: str = "", rule: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.verdict = verdict
        self.reason = reason
        self.error = error
        self.rule = rule

    def response(self) -> bytes:
        """The refusal in HTTP: one line of text that an agent can read.

        It stands in the status line as well, as that is all that npm, pip and most other clients print of an answer.
        """
        text = f"fumehood: {self.reason}"
        body = f"{text}\n".encode()
        plain = re.sub(r"[^ -~]", "?", text)[:_SHOWN_STATUS]
        header = f"x-proxy-error: {self.error}\r\n" if self.error else ""
        return (
            f"HTTP/1.1 {self.status} ({plain})\r\n{header}Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body


def forbidden(reason: str) -> Refused:
    """A refusal that no rule of the policy says, but what a policy rests on."""
    return Refused("403 Forbidden", "denied", reason, "blocked-by-policy")


def malformed(fault: Exception) -> Refused:
    """The refusal of what cannot be read in one way."""
    return Refused("400 Bad Request", "denied", f"malformed request: {fault}")


def judged(policy: Policy, request: Request, budget: Budget | None = None) -> str:
    """The rule that allows `request`, which `budget` counts if it is one to the agent's model.

    Raises:
        Refused: no rule does, or the budget is used up.
    """
    decision = policy.decide(request.host, request.port, visible_method(request), request.path)
    if not decision.allowed:
        raise Refused("403 Forbidden", "denied", decision.reason, decision.error, decision.rule)
    if budget is not None and request.method != "CONNECT" and policy.is_model(request.host, request.port):
        budget.take()
    return decision.rule


def visible_method(request: Request) -> str | None:
    """The method the policy judges: what a tunnel carries is not seen yet."""
    return None if request.method == "CONNECT" else request.method
