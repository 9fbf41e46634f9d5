"""What the gateway knows of an agent's way to its model beside the policy: how often, and where (SPEC N5)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.network.credentials import Credential, with_credentials
from engine.network.refusal import Refused
from engine.network.request import Request


class Budget:
    """The requests that an agent may send to its model; one too many is answered with status 429.

    Attributes:
        spent: one too many was sent.
    """

    def __init__(self, requests: int) -> None:
        self.spent = False
        self._left = requests

    def take(self) -> None:
        """Count a request.

        Raises:
            Refused: there is none left.
        """
        self._left -= 1
        if self._left < 0:
            self.spent = True
            reason = "the requests to the model are used up, see [agent] max_requests"
            raise Refused("429 Too Many Requests", "denied", reason, "blocked-by-policy")


class LocalModel(Struct, frozen=True):
    """A model that is served on this machine: one port of its loopback, reached under a name that nothing else has.

    Attributes:
        host: the name for containers; no address that it could have is ever looked up.
        address: where on the loopback it is.
        port: there, and for containers.
        credentials: its key, if it wants one.
    """

    host: str
    address: str
    port: int
    credentials: tuple[Credential, ...] = ()

    def is_asked(self, host: str, port: int) -> bool:
        """Whether a request is for it."""
        return (host, port) == (self.host, self.port)

    def upstream(self, request: Request) -> Request:
        """The request as the server gets it: under its own name, with its key."""
        fields = with_credentials(request, self.credentials)
        sent = tuple((name.decode("ascii"), value.decode("ascii")) for name, value in fields)
        return replace(request, host=self.address, fields=sent)
