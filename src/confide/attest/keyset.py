"""The keyset: the public keys born in a TEE and the digests of what runs there (spec/02-keyset.md).

A node serialises its keyset once; from then on the exact bytes are carried, hashed and compared, never a second serialisation.
`parse_keyset` is the only way to a `Keyset`. Members are fixed; new ones live in `extensions` until a version 2. Left to others:
the proof that a TEE holds the keys (`binding`), HPKE itself (`seal`), whether the digests are wanted and the window holds now
(`policy`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from confide.attest.publickeys import KeyMembers, OhttpKey, public_key, read_ohttp_keys, read_receipt_keys, require_distinct
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
KNOWN_EXTENSIONS: frozenset[str] = frozenset()  # none is defined yet, so `critical` refuses every name

FORMAT = Format(MAX_KEYSET, too_large=Code.KEYSET_TOO_LARGE, malformed=Code.KEYSET_MALFORMED, version=Code.KEYSET_VERSION)


__all__ = ["Isolation", "Keyset", "OhttpKey", "Pool", "Role", "build_keyset", "parse_keyset"]


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
    receipt_keys: Annotated[list[KeyMembers], Meta(min_length=1, max_length=MAX_RECEIPT_KEYS)]
    tls_spki_sha256: Hex32 | None
    tpm_ak_spki_sha256: Hex32 | None
    gpu_leaf_key_sha256: Annotated[list[Hex32], Meta(max_length=MAX_GPUS)]
    authority_key: KeyMembers | None
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
        EvidenceError: `keyset.too_large`, `keyset.malformed`, `keyset.version`, `keyset.critical`, `keyset.key`,
            `keyset.duplicate`, `keyset.no_usable_key` or `keyset.window`.
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
    policy_digest: bytes | None = None,
    policy_serial: int | None = None,
    pool: Pool | None = None,
    extensions: Mapping[str, Any] | None = None,
    critical: Sequence[str] = (),
) -> Keyset:
    """Serialise once, and return the parse of those bytes, so that a node cannot make a keyset that a client refuses.

    Raises:
        EvidenceError: as `parse_keyset`, also for a policy digest without its serial.
    """
    policy = None if policy_digest is None and policy_serial is None else {"digest": _hex(policy_digest), "serial": policy_serial}
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
        "policy": policy,
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
    ohttp_keys, skipped_kems = read_ohttp_keys(parsed.ohttp_key_configs)
    receipt_keys, skipped_algorithms = read_receipt_keys(parsed.receipt_keys)
    authority_key = public_key(parsed.authority_key) if parsed.authority_key else None
    require_distinct("gpu_leaf_key_sha256", parsed.gpu_leaf_key_sha256)
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
        authority_key=authority_key,
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
    require_distinct("critical", parsed.critical)
    for name in parsed.critical:
        if name not in parsed.extensions:
            raise EvidenceError(Code.KEYSET_MALFORMED, found=f"critical {name}", wanted="a name of an extension that is present")
        if name not in KNOWN_EXTENSIONS:
            raise EvidenceError(Code.KEYSET_CRITICAL, found=name, wanted=f"one of {len(KNOWN_EXTENSIONS)} known extensions")


def _key_members(key: dsse.PublicKey) -> dict[str, str]:
    return {"alg": key.alg.value, "public_key": strictjson.b64(key.raw)}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
