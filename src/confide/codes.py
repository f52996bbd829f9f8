"""Every error and verdict code, once. `spec/codes.json` is generated from here (`scripts/spec_codes.py`) for the other SDKs.

A code is `area.reason`. Codes are never renamed or reused; a new cause gets a new code.
"""

from enum import Enum, IntEnum, StrEnum
from typing import Self


class Remedy(StrEnum):
    """What the reader of an error should do."""

    FIX = "fix the input or the call"
    RETRY = "retry; if it persists, tell the operator"
    STOP = "stop: do not send anything to this node"
    UPDATE = "update confide, the policy or the collateral"


class Exit(IntEnum):
    """Exit codes of the command line (docs/reference/exit-codes.md)."""

    OK = 0
    INTERNAL = 1
    MISUSE = 2
    EVIDENCE = 3
    COLLATERAL = 4
    POLICY = 5
    TRANSPORT = 6
    CHANNEL = 7
    RECEIPT = 8
    PACKAGE = 9
    ENGINE = 10


class Code(Enum):
    """`NAME = (code, exit, remedy, meaning)`; the value of a member is its code string."""

    exit: Exit
    remedy: Remedy
    meaning: str

    def __new__(cls, value: str, exit_code: Exit, remedy: Remedy, meaning: str) -> Self:
        member = object.__new__(cls)
        member._value_ = value
        member.exit, member.remedy, member.meaning = exit_code, remedy, meaning
        return member

    @property
    def area(self) -> str:
        """The part before the dot."""
        return str(self.value).split(".", 1)[0]

    # json: strict JSON (formats/strictjson.py)
    JSON_TOO_LARGE = ("json.too_large", Exit.MISUSE, Remedy.FIX, "the JSON text exceeds its bound")
    JSON_MALFORMED = ("json.malformed", Exit.MISUSE, Remedy.FIX, "the bytes are not strict JSON")
    JSON_DUPLICATE_MEMBER = ("json.duplicate_member", Exit.MISUSE, Remedy.FIX, "a JSON member occurs twice")
    JSON_SHAPE = ("json.shape", Exit.MISUSE, Remedy.FIX, "the JSON members are not those of the format")
    JSON_BASE64 = ("json.base64", Exit.MISUSE, Remedy.FIX, "a string is not canonical base 64")

    # merkle: RFC 9162 trees (formats/merkle.py)
    MERKLE_INCLUSION = ("merkle.inclusion", Exit.RECEIPT, Remedy.STOP, "an inclusion proof does not lead to the root")

    # dsse: signed envelopes (formats/dsse.py)
    DSSE_MALFORMED = ("dsse.malformed", Exit.MISUSE, Remedy.FIX, "the bytes are not a DSSE envelope")
    DSSE_PAYLOAD_TYPE = ("dsse.payload_type", Exit.MISUSE, Remedy.STOP, "the envelope holds another type of payload")
    DSSE_SIGNATURE = ("dsse.signature", Exit.EVIDENCE, Remedy.STOP, "no signature of an accepted key verifies")

    # x509: certificates and revocation lists (attest/x509.py)

    # snp: AMD SEV-SNP (attest/snp/)

    # keyset, binding, document, admission (attest/)

    # policy: policies and what they refuse (policy/)

    # verdict: checks of the whole chain, freshness, custody, rollback (policy/)

    # hpke: RFC 9180 (seal/hpke.py)

    # bhttp: RFC 9292 (seal/bhttp.py)

    # ohttp: RFC 9458 and chunked OHTTP (seal/)

    # receipt, log: receipts and the per-boot log (receipt/)

    # package: model packages and packing (engine/)

    # engine: inputs, workers, scheduling (engine/)

    # guest: TEE devices and key material (guest/)

    # node: what the server answers (server/)

    # client: sessions and transport (client/)

    # cli: the command line (cli/)
