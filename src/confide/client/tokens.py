"""The token of a package owner: 32 random bytes, told to a node inside the seal; the node's configuration holds their SHA-256.

    authorization: Bearer <base 64 url, without padding>

Left to others: what an owner may do with it (`uploads`, and the node).
"""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from confide.client.files import read_file
from confide.codes import Code
from confide.errors import MisuseError

TOKEN_BYTES = 32
VARIABLE = "CONFIDE_OWNER_TOKEN"
AUTHORIZATION = b"authorization"
_LENGTH = 43


class Token:
    """A token that does not show."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @classmethod
    def new(cls) -> "Token":
        """From the operating system's randomness."""
        return cls(os.urandom(TOKEN_BYTES))

    @classmethod
    def parse(cls, text: "str | Token") -> "Token":
        """From the text that `confide owner new` printed; `client.token` otherwise, without saying what was given."""
        if isinstance(text, Token):
            return text
        token = text.strip()
        try:
            raw = base64.b64decode(token.encode("ascii") + b"=", altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
        if len(token) != _LENGTH or len(raw) != TOKEN_BYTES or Token(raw).text != token:
            raise MisuseError(Code.CLIENT_TOKEN, found="something else", wanted=f"{_LENGTH} characters of base 64 for URLs")
        return cls(raw)

    @property
    def text(self) -> str:
        """As people keep it."""
        return base64.urlsafe_b64encode(self._raw).rstrip(b"=").decode("ascii")

    @property
    def sha256(self) -> str:
        """What the node's configuration holds."""
        return hashlib.sha256(self._raw).hexdigest()

    @property
    def field(self) -> tuple[bytes, bytes]:
        """The inner header."""
        return AUTHORIZATION, b"Bearer " + self.text.encode("ascii")

    def __repr__(self) -> str:
        return "Token(redacted)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise MisuseError(Code.CLIENT_TOKEN, found="an attempt to pickle", wanted="tokens stay in memory")


def read_token(path: Path) -> Token:
    """From a file; `client.file`, `client.token`."""
    return Token.parse(read_file(path, limit=1024).decode("ascii", "replace"))
