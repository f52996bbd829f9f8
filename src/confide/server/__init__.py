"""The node: one ordinary ASGI application behind the sealed channel, and a short closed list of routes before it.

No cryptography of its own: it joins `guest` (keys, evidence), `seal` (the channel), `engine` (models) and `receipt` (proof).
"""

from confide.errors import ConfideError


class NodeError(ConfideError):
    """The node refuses a request, or cannot start."""
