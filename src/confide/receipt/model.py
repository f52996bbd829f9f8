"""A receipt as typed, frozen data. Every field comes from bytes whose signature was verified, or is about to be signed.

Left to others: the JSON (`statement`), signing (`issue`), judging (`check`, `verify`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse

Scalar = bool | int | float | str
MAX_PARTS = 64  # parts of a model package: weights, tokenizer, pipeline steps
DIGEST_SIZE = 32

_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")  # as formats.fields.Name
_CODE = re.compile(r"\A[a-z0-9_]{1,32}\.[a-z0-9_]{1,64}\Z")


class Status(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"
    REFUSED = "refused"  # nothing was run
    FAILED = "failed"  # something was run and gave no answer
    ABORTED = "aborted"  # the client went, or the stream broke


@dataclass(frozen=True)
class Outcome:
    """How a request ended, with a code of spec/01-codes.md unless it completed."""

    status: Status
    code: str = ""

    def __post_init__(self) -> None:
        completed = self.status is Status.COMPLETED
        if completed == bool(self.code) or (self.code and not _CODE.match(self.code)):
            raise ReceiptError(Code.RECEIPT_FIELD, found=f"outcome {self.status.value}", wanted="a code, unless completed")

    def __str__(self) -> str:
        return f"{self.status.value} ({self.code})" if self.code else self.status.value


COMPLETED = Outcome(Status.COMPLETED)


@dataclass(frozen=True)
class ModelRef:
    """The model that ran: the alias it was asked by, the package digest, and the digests of the package's parts by name."""

    alias: str
    package: bytes
    parts: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))
        names, digests = (self.alias, *self.parts), (self.package, *self.parts.values())
        plain = all(_NAME.match(name) for name in names) and all(len(digest) == DIGEST_SIZE for digest in digests)
        if not plain or len(self.parts) > MAX_PARTS:
            raise ReceiptError(
                Code.RECEIPT_FIELD, found="a model", wanted=f"plain names, SHA-256 digests, at most {MAX_PARTS} parts"
            )


class EngineLike(Protocol):
    """What names an engine; `engine.EngineIdentity` does too."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def digest(self) -> bytes: ...


@dataclass(frozen=True)
class EngineRef:
    """The engine that ran the model."""

    name: str
    version: str
    digest: bytes


@dataclass(frozen=True)
class Receipt:
    """What the node signed about one exchange.

    Attributes:
        keyset_digest: SHA-256 of the exact keyset bytes in force; a bundle proves that keyset.
        key_config_digest, enc_digest: SHA-256 of the OHTTP key configuration and of the HPKE `enc` of the request.
        request_commitment, response_commitment: confide-commit-v1 of the inner binary HTTP request, and of status, headers and
            content of the response.
        model: None where no model was involved.
        parameters: allow-listed scalars; everything else is under `parameters_commitment`, None where there is nothing else.
        log_index: the leaf of the boot's log that holds this receipt.
        issued_at: asserted by the node; its host owns the clock.
        signer: the receipt key that verified.
    """

    keyset_digest: bytes
    key_config_digest: bytes
    enc_digest: bytes
    request_commitment: bytes
    response_commitment: bytes
    model: ModelRef | None
    engine: EngineRef
    software_digest: bytes
    parameters: Mapping[str, Scalar] = field(repr=False)
    parameters_commitment: bytes | None
    outcome: Outcome
    log_index: int
    issued_at: datetime
    signer: dsse.PublicKey
