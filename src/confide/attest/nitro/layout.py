"""Attestation documents (AWS Nitro Enclaves, "Verifying the root of trust"; aws-nitro-enclaves-nsm-api, attestation process; EC2
User Guide, "Attestation document" of NitroTPM): a COSE_Sign1 whose payload is one CBOR map.

    module_id text   timestamp u64 ms   digest "SHA384"   pcrs or nitrotpm_pcrs {index: 48 bytes}   certificate DER   cabundle [DER,
    ...] public_key, user_data, nonce: bytes or null

Left to others: the chain and the signature (`verify`), what is wanted of the fields (`validate`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from confide.attest import cbor
from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import EvidenceError

MAX_PCRS = 32
PCR_SIZE = 48
MAX_CERTIFICATE = 1024  # bytes, as AWS documents
MAX_BUNDLE = 8
MAX_FIELD = 1024  # AWS documents 512 for user_data and nonce; 1024 occurs
MAX_MODULE = 256
PCRS = {Kind.NITRO: "pcrs", Kind.NITROTPM: "nitrotpm_pcrs"}
MODULES = {Kind.NITRO: "-enc", Kind.NITROTPM: "-tpm"}  # i-<instance>-enc<enclave>, i-<instance>-tpm<zeros>
_MEMBERS = {"module_id", "timestamp", "digest", "certificate", "cabundle", "public_key", "user_data", "nonce"}


@dataclass(frozen=True)
class AttestationDocument:
    """The payload, field by field."""

    module_id: str
    timestamp: datetime
    digest: str
    pcrs: Mapping[int, bytes]
    certificate: bytes = field(repr=False)
    cabundle: tuple[bytes, ...] = field(repr=False)
    public_key: bytes | None = field(repr=False)
    user_data: bytes | None = field(repr=False)
    nonce: bytes | None = field(repr=False)

    @property
    def instance_id(self) -> str:
        """The EC2 instance, `i-...`."""
        return self.module_id[: self.module_id.rfind("-")] if self.module_id.count("-") > 1 else self.module_id

    @property
    def debug(self) -> bool:
        """An enclave in debug mode shows zeros for what it runs."""
        return not any(any(self.pcrs.get(index, b"")) for index in (0, 1, 2))


def parse_payload(payload: bytes, *, kind: Kind) -> AttestationDocument:
    """The document of this kind.

    Raises:
        EvidenceError: `cbor.*`, `nitro.document`; `nitro.kind` for a document of the other kind.
    """
    members = cbor.loads(payload)
    if not isinstance(members, dict):
        raise _malformed("no map", "a map")
    _require_kind(members, kind)
    unknown = set(members) - _MEMBERS - {PCRS[kind]}
    if unknown:
        raise _malformed(f"{len(unknown)} unknown members", "those that AWS documents")
    certificate, bundle = members.get("certificate"), members.get("cabundle")
    if not isinstance(bundle, list) or not 1 <= len(bundle) <= MAX_BUNDLE or not isinstance(certificate, bytes):
        raise _malformed("no certificates", f"one, and a bundle of 1 to {MAX_BUNDLE}")
    if not all(map(_is_der, (certificate, *bundle))):
        raise _malformed("certificates of another form", f"DER up to {MAX_CERTIFICATE} bytes")
    return AttestationDocument(
        module_id=_text(members, "module_id"),
        timestamp=_timestamp(members.get("timestamp")),
        digest=_text(members, "digest"),
        pcrs=_pcrs(members.get(PCRS[kind])),
        certificate=certificate,
        cabundle=tuple(bundle),
        public_key=_optional(members, "public_key"),
        user_data=_optional(members, "user_data"),
        nonce=_optional(members, "nonce"),
    )


def _require_kind(members: Mapping[Any, Any], kind: Kind) -> None:
    """By both the name of the measurements and the form of module_id: the two kinds share root and signer."""
    other = Kind.NITROTPM if kind is Kind.NITRO else Kind.NITRO
    module = members.get("module_id")
    named = isinstance(module, str) and MODULES[kind] in module and MODULES[other] not in module
    if PCRS[kind] not in members or PCRS[other] in members or not named:
        found = "measurements or module_id of another kind"
        raise EvidenceError(Code.NITRO_KIND, found=found, wanted=f"{PCRS[kind]} and a module_id with {MODULES[kind]}")


def _pcrs(value: Any) -> Mapping[int, bytes]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_PCRS:
        raise _malformed("no measurements", f"1 to {MAX_PCRS}")
    for index, digest in value.items():
        fits = type(index) is int and 0 <= index < MAX_PCRS and isinstance(digest, bytes) and len(digest) == PCR_SIZE
        if not fits:
            raise _malformed("a measurement of another form", f"index 0 to {MAX_PCRS - 1}, {PCR_SIZE} bytes")
    return MappingProxyType(dict(sorted(value.items())))


def _timestamp(value: Any) -> datetime:
    """Milliseconds since 1970, UTC."""
    if type(value) is not int or not 0 < value < 1 << 45:
        raise _malformed("no timestamp", "milliseconds since 1970")
    return datetime.fromtimestamp(value / 1000, UTC)


def _text(members: Mapping[Any, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_MODULE or not value.isascii() or not value.isprintable():
        raise _malformed(f"{name} of another form", f"up to {MAX_MODULE} printable characters")
    return value


def _optional(members: Mapping[Any, Any], name: str) -> bytes | None:
    value = members.get(name)
    if value is not None and (not isinstance(value, bytes) or len(value) > MAX_FIELD):
        raise _malformed(f"{name} of another form", f"up to {MAX_FIELD} bytes, or null")
    return value


def _is_der(value: Any) -> bool:
    return isinstance(value, bytes) and 1 <= len(value) <= MAX_CERTIFICATE


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.NITRO_DOCUMENT, found=found, wanted=wanted)
