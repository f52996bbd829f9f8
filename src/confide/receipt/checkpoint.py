"""Signed heads of the receipt log (spec/10-log.md): Ed25519 for today, ML-DSA-65 for later, both or nothing.

A log belongs to one boot and is named by the boot's receipt keys, so a keyset that lists these keys vouches for it. Left to
others: the tree (`log`), when a checkpoint is made (`checkpointer`), proofs that lead to one (`proof`), witnesses and timestamps.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import dsse, merkle, strictjson
from confide.formats.fields import Count, Hex32, format_time, parse_time

PAYLOAD_TYPE = "application/vnd.confide.checkpoint+json"
MAX_CHECKPOINT = 16 << 10  # bytes of the envelope; an ML-DSA-65 signature is 4.4 KiB in base 64
VERSION = 1
ALGORITHMS = (dsse.SignatureAlgorithm.ED25519, dsse.SignatureAlgorithm.ML_DSA_65)

_LOG_LABEL = b"confide/v1/log\x00"


@dataclass(frozen=True)
class Checkpoint:
    """What the node said about its log: so many leaves, this root, at this time; `closing` when no leaf will follow."""

    log_id: bytes
    size: int
    root: bytes
    time: datetime
    closing: bool = False


class _Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    log_id: Hex32
    size: Count
    root: Hex32
    time: str
    closing: bool


def log_id(keys: Sequence[dsse.PublicKey]) -> bytes:
    """SHA-256 of `"confide/v1/log" || 0x00` and the sorted keyids (32 bytes each) of the boot's keys that sign checkpoints."""
    keyids = sorted(bytes.fromhex(key.keyid) for key in keys if key.alg in ALGORITHMS)
    return hashlib.sha256(_LOG_LABEL + b"".join(keyids)).digest()


def sign_checkpoint(checkpoint: Checkpoint, *, keys: tuple[dsse.SigningKey, ...]) -> bytes:
    """The envelope, signed with each key: one of each kind, as `log.signature` demands of every reader."""
    if sorted(key.alg for key in keys) != sorted(ALGORITHMS):
        raise ReceiptError(Code.LOG_SIGNATURE, found=f"{len(keys)} keys", wanted="one Ed25519 and one ML-DSA-65 key")
    payload = msgspec.json.encode(
        _Checkpoint(
            version=VERSION,
            log_id=checkpoint.log_id.hex(),
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            time=format_time(checkpoint.time),
            closing=checkpoint.closing,
        )
    )
    return dsse.sign(payload, payload_type=PAYLOAD_TYPE, keys=keys)


def verify_checkpoint(envelope: bytes, *, keys: Sequence[dsse.PublicKey]) -> Checkpoint:
    """The checkpoint that the boot with these receipt keys signed; the keys are a verified keyset's `receipt_keys`, all of them.

    Raises:
        ReceiptError: `log.malformed`, `log.signature` unless both kinds verify, `log.version`, or `log.id`.
    """
    payload = b""
    for alg in ALGORITHMS:
        payload = _payload(envelope, tuple(key for key in keys if key.alg is alg))
    checkpoint = _decode(payload)
    wanted = log_id(keys)
    if not hmac.compare_digest(checkpoint.log_id, wanted):
        raise ReceiptError(Code.LOG_ID, found=checkpoint.log_id.hex(), wanted=wanted.hex())
    return checkpoint


def unverified_checkpoint(envelope: bytes) -> Checkpoint:
    """What a checkpoint says before any signature is checked: for whoever hands it on, as a node does with another boot's log.

    Raises:
        ReceiptError: `log.malformed` or `log.version`.
    """
    try:
        return _decode(dsse.unverified_payload(envelope, payload_type=PAYLOAD_TYPE, limit=MAX_CHECKPOINT))
    except dsse.DsseError as error:
        raise ReceiptError(Code.LOG_MALFORMED, found=error.found, wanted=error.wanted) from None


def verify_growth(first: Checkpoint, second: Checkpoint, *, path: Sequence[bytes]) -> None:
    """Raise unless `second` is a later state of the log of `first`: same log, nothing dropped, nothing after a closing checkpoint.

    Raises:
        ReceiptError: `log.id`, `log.time`, `log.closed` or `log.consistency`.
    """
    if not hmac.compare_digest(first.log_id, second.log_id):
        raise ReceiptError(Code.LOG_ID, found=second.log_id.hex(), wanted=first.log_id.hex())
    if second.time < first.time:
        raise ReceiptError(Code.LOG_TIME, found=format_time(second.time), wanted=f"not before {format_time(first.time)}")
    if first.closing and second.size != first.size:
        raise ReceiptError(Code.LOG_CLOSED, found=f"{second.size} leaves", wanted=f"{first.size}, as in the closing checkpoint")
    try:
        merkle.verify_consistency(first=first.size, second=second.size, first_root=first.root, second_root=second.root, path=path)
    except merkle.ProofError as error:
        raise ReceiptError(Code.LOG_CONSISTENCY, found=error.found, wanted=error.wanted) from None


def _payload(envelope: bytes, keys: tuple[dsse.PublicKey, ...]) -> bytes:
    try:
        return dsse.verify(envelope, payload_type=PAYLOAD_TYPE, keys=keys, limit=MAX_CHECKPOINT)[0]
    except dsse.DsseError as error:
        code = Code.LOG_SIGNATURE if error.code is Code.DSSE_SIGNATURE else Code.LOG_MALFORMED
        raise ReceiptError(code, found=error.found, wanted=error.wanted) from None


def _decode(payload: bytes) -> Checkpoint:
    try:
        value = strictjson.loads(payload, limit=MAX_CHECKPOINT)
        require_version(value)
        parsed = strictjson.convert(value, _Checkpoint)
        time = parse_time(parsed.time)
    except strictjson.JsonError as error:
        raise ReceiptError(Code.LOG_MALFORMED, found=f"{error.code.value} {error.found}".strip(), wanted="a checkpoint") from None
    root = bytes.fromhex(parsed.root)
    if parsed.size == 0 and root != merkle.root(()):
        raise ReceiptError(Code.LOG_MALFORMED, found="a root of an empty log", wanted="the hash of nothing")
    return Checkpoint(bytes.fromhex(parsed.log_id), parsed.size, root, time, parsed.closing)


def require_version(value: object) -> None:
    """Raise `log.version` for an object of another version, before its other members are looked at."""
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version != VERSION:
        raise ReceiptError(Code.LOG_VERSION, found=f"version {version}", wanted=f"version {VERSION}")
