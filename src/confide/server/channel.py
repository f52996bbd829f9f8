"""The in-process channel object: what an inner route demands to see before it answers.

It is an object made by the code that opened a seal, carried in `scope["extensions"]`. Nothing that arrives over a network can
become one: headers, paths and bodies are bytes. Surfaces that come later (EHBP, attested TLS) make the same object.

It also carries back what only the inner route knows, for the receipt. Left to others: opening seals (`server.sealed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confide.attest.keyset import Keyset
from confide.codes import Code
from confide.receipt.model import COMPLETED, Outcome, Scalar, Status
from confide.server import NodeError
from confide.server.asgi import Scope
from confide.server.models import Served

EXTENSION = "confide.channel"
RAN = frozenset({Code.ENGINE_FAILED, Code.ENGINE_WORKER_DIED, Code.ENGINE_TIMEOUT, Code.ENGINE_STOPPED})


@dataclass(slots=True, eq=False)
class Channel:
    """One opened request. Inner routes fill in the facts that the receipt states.

    Attributes:
        keyset: the one whose content key opened the request; its receipt names it.
    """

    surface: str
    keyset: Keyset = field(repr=False)
    key_config: bytes = field(repr=False)
    enc: bytes = field(repr=False)
    model: Served | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    outcome: Outcome = COMPLETED

    def refused(self, code: Code) -> None:
        """The request was not acceptable, and nothing ran."""
        self.outcome = Outcome(Status.REFUSED, code.value)

    def failed(self, code: Code) -> None:
        """It was acceptable, and yet there is no answer."""
        self.outcome = Outcome(Status.FAILED, code.value)

    def ended_by(self, code: Code) -> None:
        """Refused before anything ran, or failed while it ran: the receipt says which."""
        (self.failed if code in RAN else self.refused)(code)


def require_channel(scope: Scope) -> Channel:
    """The channel object of this request; `node.unsealed` when it did not come out of a seal in this process."""
    channel = (scope.get("extensions") or {}).get(EXTENSION)
    if type(channel) is not Channel:
        raise NodeError(Code.NODE_UNSEALED, found="no sealed channel", wanted="a request through POST /ohttp")
    return channel
