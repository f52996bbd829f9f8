"""The keyset: the public keys born in a TEE and the digests of what runs there (spec/02-keyset.md).

A node serialises its keyset once; from then on the exact bytes are carried, hashed and compared, never a second serialisation.
`parse_keyset` is the only way to a `Keyset`. Members are fixed; new ones live in `extensions` until a version 2. Left to others: the
proof that a TEE holds the keys (`binding`), HPKE itself (`seal`), whether the digests are wanted ones and whether the window holds
now (`policy`).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from confide.attest import keyconfig
from confide.attest.keyconfig import OhttpKey
from confide.attest.reading import VERSION, Format, malformed, read
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import dsse, strictjson
from confide.formats.fields import Count, Hex32, Name, format_time, parse_time

MAX_KEYSET = 128 * 1024  # bytes: 16 X-Wing and 8 ML-DSA-65 keys are 50 KiB, 256 models with long names another 52 KiB
MAX_OHTTP_KEYS = 16  # two KEMs, each pending, active and stale, and as many that this side does not know
MAX_RECEIPT_KEYS = 8
MAX_GPUS = 32  # an HGX board has 8 GPUs and 4 switches
MAX_MODELS = 256
MAX_EXTENSIONS = 32
MAX_PUBLIC_KEY = 4096  # bytes; ML-DSA-87 has 2592
KNOWN_EXTENSIONS: frozenset[str] = frozenset()  # none is defined yet, so `critical` refuses every name
PUBLIC_KEY_SIZES = {
    dsse.SignatureAlgorithm.ED25519: 32,
    dsse.SignatureAlgorithm.ML_DSA_65: 1952,
}  # RFC 8032 5.1.5; FIPS 204 table 2

FORMAT = Format(MAX_KEYSET, too_large=Code.KEYSET_TOO_LARGE, malformed=Code.KEYSET_MALFORMED, version=Code.KEYSET_VERSION)


class Role(StrEnum):
    """What the holder of the keys is for."""

    NODE = "node"
    BROKER = "broker"
    TRAINER = "trainer"
    AGGREGATOR = "aggregator"


class Isolation(StrEnum):
    """How models are kept from the keys (DESIGN section 8)."""

    WORKER_PROCESS = "worker-process"
    IN_PROCESS = "in-process"


@dataclass(frozen=True)
class Pool:
    """Replicas that share content keys, and the epoch of these."""

    id: str
    epoch: int


@dataclass(frozen=True)
class Keyset:
    """A parsed keyset; two are equal when their bytes are.

    Attributes:
        raw: the exact bytes, which the binding covers.
        node_id: 32 bytes the node chose at boot; a name, not a proof.
        ohttp_keys: usable content keys in the node's order.
        receipt_keys: usable keys that sign receipts, this boot only.
        tls_spki_sha256, tpm_ak_spki_sha256, gpu_leaf_key_sha256: digests of further keys of this TEE, where it has them.
        authority_key: the deployment's owner, whose admissions and policies the node obeys.
        software_digest, config_digest: what runs, and its effective configuration.
        policy_digest, policy_serial: the owner's policy the node enforces; both or none.
        models: alias to package digest at start-up.
        skipped: what was present but of a kind unknown here.
    """

    raw: bytes = field(repr=False)
    node_id: bytes = field(compare=False)
    role: Role = field(compare=False)
    ohttp_keys: tuple[OhttpKey, ...] = field(compare=False, repr=False)
    receipt_keys: tuple[dsse.PublicKey, ...] = field(compare=False, repr=False)
    tls_spki_sha256: bytes | None = field(compare=False, repr=False)
    tpm_ak_spki_sha256: bytes | None = field(compare=False, repr=False)
    gpu_leaf_key_sha256: tuple[bytes, ...] = field(compare=False, repr=False)
    authority_key: dsse.PublicKey | None = field(compare=False, repr=False)
    software_digest: bytes = field(compare=False, repr=False)
    config_digest: bytes = field(compare=False, repr=False)
    policy_digest: bytes | None = field(compare=False, repr=False)
    policy_serial: int | None = field(compare=False, repr=False)
    pool: Pool | None = field(compare=False)
    isolation: Isolation = field(compare=False)
    models: Mapping[str, bytes] = field(compare=False, repr=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    extensions: Mapping[str, Any] = field(compare=False, repr=False)
    skipped: tuple[str, ...] = field(compare=False)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the exact bytes: the keyset's identity in bindings and receipts."""
        return hashlib.sha256(self.raw).digest()


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z")]
    public_key: str


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: Hex32
    serial: Count


class _Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Name
    epoch: Count


class _Keyset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1: every member is always present; null, [] and {} say "none"."""

    version: int
    node_id: Hex32
    role: Role
    ohttp_key_configs: Annotated[list[str], Meta(min_length=1, max_length=MAX_OHTTP_KEYS)]
    receipt_keys: Annotated[list[_Key], Meta(min_length=1, max_length=MAX_RECEIPT_KEYS)]
    tls_spki_sha256: Hex32 | None
    tpm_ak_spki_sha256: Hex32 | None
    gpu_leaf_key_sha256: Annotated[list[Hex32], Meta(max_length=MAX_GPUS)]
    authority_key: _Key | None
    software_digest: Hex32
    config_digest: Hex32
    policy: _Policy | None
    pool: _Pool | None
    isolation: Isolation
    models: Annotated[dict[Name, Hex32], Meta(max_length=MAX_MODELS)]
    not_before: str
    not_after: str
    extensions: Annotated[dict[Name, Any], Meta(max_length=MAX_EXTENSIONS)]
    critical: Annotated[list[Name], Meta(max_length=MAX_EXTENSIONS)]


def parse_keyset(raw: bytes) -> Keyset:
    """The keyset that the exact bytes `raw` say, or an error; nothing in it is believed before the binding is checked.

    Raises:
        EvidenceError: `keyset.too_large`, `keyset.malformed`, `keyset.version`, `keyset.critical`, `keyset.key`, `keyset.duplicate`,
            `keyset.no_usable_key` or `keyset.window`.
    """
    parsed = read(raw, _Keyset, FORMAT)
    with malformed(FORMAT):
        return _keyset(raw, parsed)


def build_keyset(
    *,
    node_id: bytes,
    ohttp_key_configs: Sequence[bytes],
    receipt_keys: Sequence[dsse.PublicKey],
    software_digest: bytes,
    config_digest: bytes,
    not_before: datetime,
    not_after: datetime,
    role: Role = Role.NODE,
    isolation: Isolation = Isolation.WORKER_PROCESS,
    models: Mapping[str, bytes] | None = None,
    tls_spki_sha256: bytes | None = None,
    tpm_ak_spki_sha256: bytes | None = None,
    gpu_leaf_key_sha256: Sequence[bytes] = (),
    authority_key: dsse.PublicKey | None = None,
    policy: tuple[bytes, int] | None = None,
    pool: Pool | None = None,
    extensions: Mapping[str, Any] | None = None,
    critical: Sequence[str] = (),
) -> Keyset:
    """Serialise once, and return the parse of those bytes, so that a node cannot make a keyset that a client refuses.

    `policy` is (digest, serial). Raises as `parse_keyset`.
    """
    members = {
        "version": VERSION,
        "node_id": node_id.hex(),
        "role": role.value,
        "ohttp_key_configs": [strictjson.b64(config) for config in ohttp_key_configs],
        "receipt_keys": [_key_members(key) for key in receipt_keys],
        "tls_spki_sha256": _hex(tls_spki_sha256),
        "tpm_ak_spki_sha256": _hex(tpm_ak_spki_sha256),
        "gpu_leaf_key_sha256": [digest.hex() for digest in gpu_leaf_key_sha256],
        "authority_key": _key_members(authority_key) if authority_key else None,
        "software_digest": software_digest.hex(),
        "config_digest": config_digest.hex(),
        "policy": {"digest": policy[0].hex(), "serial": policy[1]} if policy else None,
        "pool": {"id": pool.id, "epoch": pool.epoch} if pool else None,
        "isolation": isolation.value,
        "models": {alias: digest.hex() for alias, digest in (models or {}).items()},
        "not_before": format_time(not_before),
        "not_after": format_time(not_after),
        "extensions": dict(extensions or {}),
        "critical": list(critical),
    }
    return parse_keyset(strictjson.dumps(members))


def _keyset(raw: bytes, parsed: _Keyset) -> Keyset:
    _require_extensions(parsed)
    ohttp_keys, skipped_kems = _ohttp_keys(parsed.ohttp_key_configs)
    receipt_keys, skipped_algorithms = _receipt_keys(parsed.receipt_keys)
    _require_distinct("gpu_leaf_key_sha256", parsed.gpu_leaf_key_sha256)
    not_before, not_after = parse_time(parsed.not_before), parse_time(parsed.not_after)
    if not not_before < not_after:
        raise EvidenceError(
            Code.KEYSET_WINDOW, found=f"{parsed.not_before} to {parsed.not_after}", wanted="a beginning before the end"
        )
    return Keyset(
        raw=raw,
        node_id=bytes.fromhex(parsed.node_id),
        role=parsed.role,
        ohttp_keys=ohttp_keys,
        receipt_keys=receipt_keys,
        tls_spki_sha256=_unhex(parsed.tls_spki_sha256),
        tpm_ak_spki_sha256=_unhex(parsed.tpm_ak_spki_sha256),
        gpu_leaf_key_sha256=tuple(bytes.fromhex(digest) for digest in parsed.gpu_leaf_key_sha256),
        authority_key=_public_key(parsed.authority_key) if parsed.authority_key else None,
        software_digest=bytes.fromhex(parsed.software_digest),
        config_digest=bytes.fromhex(parsed.config_digest),
        policy_digest=bytes.fromhex(parsed.policy.digest) if parsed.policy else None,
        policy_serial=parsed.policy.serial if parsed.policy else None,
        pool=Pool(parsed.pool.id, parsed.pool.epoch) if parsed.pool else None,
        isolation=parsed.isolation,
        models=MappingProxyType({alias: bytes.fromhex(digest) for alias, digest in parsed.models.items()}),
        not_before=not_before,
        not_after=not_after,
        extensions=MappingProxyType(parsed.extensions),
        skipped=skipped_kems + skipped_algorithms,
    )


def _require_extensions(parsed: _Keyset) -> None:
    """As `crit` of RFC 7515 section 4.1.11: each name once, present, and understood."""
    _require_distinct("critical", parsed.critical)
    for name in parsed.critical:
        if name not in parsed.extensions:
            raise EvidenceError(Code.KEYSET_MALFORMED, found=f"critical {name}", wanted="a name of an extension that is present")
        if name not in KNOWN_EXTENSIONS:
            raise EvidenceError(Code.KEYSET_CRITICAL, found=name, wanted=f"any of {sorted(KNOWN_EXTENSIONS)}")


def _ohttp_keys(texts: list[str]) -> tuple[tuple[OhttpKey, ...], tuple[str, ...]]:
    """Usable keys and what was skipped. A key id is taken even by a key of unknown suite, since it stands in the request's header."""
    keys = [keyconfig.read_key_config(strictjson.unb64(text, limit=keyconfig.MAX_KEY_CONFIG)) for text in texts]
    _require_distinct("key_id", [key.key_id for key in keys])
    usable = tuple(key for key in keys if key.usable)
    if not usable:
        raise EvidenceError(Code.KEYSET_NO_USABLE_KEY, found=_list(keys), wanted="a known KEM, KDF and AEAD")
    return usable, tuple(key.describe() for key in keys if not key.usable)


def _receipt_keys(listed: list[_Key]) -> tuple[tuple[dsse.PublicKey, ...], tuple[str, ...]]:
    _require_distinct("receipt_keys", [(key.alg, key.public_key) for key in listed])
    known = {alg.value for alg in dsse.SignatureAlgorithm}
    usable = tuple(_public_key(key) for key in listed if key.alg in known)
    skipped = tuple(f"receipt key {key.alg}" for key in listed if key.alg not in known)
    if not usable:
        raise EvidenceError(Code.KEYSET_NO_USABLE_KEY, found=", ".join(skipped), wanted=f"any of {sorted(known)}")
    return usable, skipped


def _public_key(key: _Key) -> dsse.PublicKey:
    raw = strictjson.unb64(key.public_key, limit=MAX_PUBLIC_KEY)
    size = PUBLIC_KEY_SIZES.get(alg) if (alg := _ALGORITHMS.get(key.alg)) else None
    if alg is None or len(raw) != size:
        raise EvidenceError(
            Code.KEYSET_KEY, found=f"{key.alg}, {len(raw)} bytes", wanted=f"{alg or 'a known algorithm'}, {size} bytes"
        )
    return dsse.PublicKey(alg, raw)


def _require_distinct(what: str, values: Sequence[object]) -> None:
    if len(set(values)) != len(values):
        raise EvidenceError(Code.KEYSET_DUPLICATE, found=f"{len(values)} in {what}, some twice", wanted="each once")


def _key_members(key: dsse.PublicKey) -> dict[str, str]:
    return {"alg": key.alg.value, "public_key": strictjson.b64(key.raw)}


def _list(keys: Iterable[OhttpKey]) -> str:
    return ", ".join(key.describe() for key in keys)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


_ALGORITHMS = {alg.value: alg for alg in dsse.SignatureAlgorithm}
