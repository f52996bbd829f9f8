"""confide-commit-v1: commitments to content, and the salts that open them (spec/09-receipt.md, DESIGN section 6).

Receipts name content by commitment, each with a salt of its own, so that showing an answer lets nobody guess the question. Salts
travel beside the receipt, inside the seal, and are as confidential as the content. Left to others: which bytes are committed to
(`issue`).
"""

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import strictjson

ALGORITHM = "confide-commit-v1"
SALT_SIZE = 32
MAX_CONTENT = 64 << 10  # bytes of free-form parameters
MAX_SALTS = 96 << 10  # bytes of the JSON text: three salts and the parameters in base 64
VERSION = 1


class Label(StrEnum):
    """What a commitment is about; part of what is hashed, so that no commitment passes for another."""

    REQUEST = "request"
    RESPONSE = "response"
    PARAMETERS = "parameters"


LABELS = tuple(Label)


def new_salts() -> tuple[bytes, bytes, bytes]:
    """32 fresh bytes for each label, by one call into the kernel."""
    fresh = os.urandom(3 * SALT_SIZE)
    return fresh[:SALT_SIZE], fresh[SALT_SIZE : 2 * SALT_SIZE], fresh[2 * SALT_SIZE :]


@dataclass(frozen=True, slots=True)
class Hashed:
    """Content that was hashed while it passed: its SHA-256, in the place of the bytes that nobody kept."""

    digest: bytes = field(repr=False)


def commit(salt: bytes, label: str, data: bytes | Hashed) -> bytes:
    """`HMAC-SHA-256(salt, label || 0x00 || SHA-256(data))`; `receipt.salts` unless the salt has 32 bytes."""
    if len(salt) != SALT_SIZE:
        raise ReceiptError(Code.RECEIPT_SALTS, found=f"{len(salt)} bytes", wanted=f"a salt of {SALT_SIZE}")
    digest = data.digest if isinstance(data, Hashed) else hashlib.sha256(data).digest()
    return hmac.digest(salt, label.encode() + b"\x00" + digest, "sha256")


@dataclass(frozen=True)
class Salts:
    """What opens a receipt's commitments. Content: its repr shows nothing.

    Attributes:
        request, response: one salt each.
        parameters: the salt of the free-form parameters, where the receipt commits to any.
        parameters_text: the exact JSON text of these parameters that the node committed to.
    """

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    parameters: bytes | None = field(default=None, repr=False)
    parameters_text: bytes | None = field(default=None, repr=False)

    def to_bytes(self) -> bytes:
        """The JSON text that travels beside the receipt."""
        return msgspec.json.encode(
            _Salts(
                version=VERSION,
                request=strictjson.b64(self.request),
                response=strictjson.b64(self.response),
                parameters=_opened(self.parameters, self.parameters_text),
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> "Salts":
        """Read the JSON text strictly; anything else is `receipt.salts`."""
        try:
            return _parse(strictjson.load_as(data, _Salts, limit=MAX_SALTS))
        except strictjson.JsonError as error:
            raise ReceiptError(Code.RECEIPT_SALTS, found=f"{error.code.value} {error.found}".strip(), wanted="salts") from None


class _Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: str
    text: str

    def __repr__(self) -> str:
        return "_Opened()"


class _Salts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    request: str
    response: str
    parameters: _Opened | None = None

    def __repr__(self) -> str:
        return "_Salts()"


def _opened(salt: bytes | None, text: bytes | None) -> _Opened | None:
    return None if salt is None or text is None else _Opened(strictjson.b64(salt), strictjson.b64(text))


def _parse(parsed: _Salts) -> Salts:
    if parsed.version != VERSION:
        raise ReceiptError(Code.RECEIPT_SALTS, found=f"version {parsed.version}", wanted=f"version {VERSION}")
    opened = parsed.parameters
    return Salts(
        request=_salt(parsed.request),
        response=_salt(parsed.response),
        parameters=None if opened is None else _salt(opened.salt),
        parameters_text=None if opened is None else strictjson.unb64(opened.text, limit=MAX_CONTENT),
    )


def _salt(text: str) -> bytes:
    salt = strictjson.unb64(text, limit=SALT_SIZE)
    if len(salt) != SALT_SIZE:
        raise ReceiptError(Code.RECEIPT_SALTS, found=f"{len(salt)} bytes", wanted=f"a salt of {SALT_SIZE}")
    return salt
