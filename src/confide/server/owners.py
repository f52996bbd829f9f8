"""Who asks: package owners by the token that their requests carry inside the seal.

    authorization: Bearer <base 64 url of 32 random bytes, without padding>

The configuration holds SHA-256 of each token, not the token. Every owner's hash is compared, in constant time and to the end,
whoever matches. Left to others: what owners may do (`server.uploads`), what others see of it (`server.models`).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from confide.codes import Code
from confide.server import NodeError
from confide.server.asgi import Scope, header

TOKEN_BYTES = 32
_TOKEN_LENGTH = 43  # base 64 without padding
_SCHEME = b"bearer "


class Owners:
    """The owners of a node."""

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes = dict(hashes)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._hashes)

    def require(self, scope: Scope) -> str:
        """The owner whose token a request carries; `node.owner` for no token, a malformed one and an unknown one alike."""
        owner = self.reader(scope)
        if owner is None:
            raise NodeError(Code.NODE_OWNER, found="no known token", wanted="authorization: Bearer, an owner's token")
        return owner

    def reader(self, scope: Scope) -> str | None:
        """The owner, or None for a stranger: clients of public models send keys of their own making."""
        value = header(scope, b"authorization")
        if value is None or value[: len(_SCHEME)].lower() != _SCHEME:
            return None
        return self._find(value[len(_SCHEME) :].strip())

    def _find(self, text: bytes) -> str | None:
        token = _decode(text)
        if token is None:
            return None
        digest, found = hashlib.sha256(token).digest(), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _decode(text: bytes) -> bytes | None:
    """The bytes of the one spelling of a token."""
    if len(text) != _TOKEN_LENGTH:
        return None
    try:
        token = base64.b64decode(text + b"=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return token if base64.urlsafe_b64encode(token).rstrip(b"=") == text else None
