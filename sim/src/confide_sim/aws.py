"""A false AWS: root, regional, zonal and instance certificates, and attestation documents of enclaves and instances.

Everything is right unless one field is overridden: `machine.document(pcrs=...)`, `machine.document(leaf={"not_after": ...})`,
`machine.message(protected=...)`. Distinguished names say SIMULATED; only the common names have AWS's form, because regions are read
from them. Keys follow from a label, and signatures are deterministic: nothing here is a secret.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm

from confide.attest.evidence import Evidence, Kind, Root
from confide_sim import der, x509

ORDER = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)  # P-384
ROOT = "aws.nitro-enclaves"
REGION = "eu-central-1"
LEAF_LIFE = timedelta(hours=3)
PCRS: Final[Mapping[Kind, str]] = {Kind.NITRO: "pcrs", Kind.NITROTPM: "nitrotpm_pcrs"}
ES384: Final[Mapping[int, int]] = {1: -35}
_CREATED, _FOREVER = datetime(2019, 10, 28, tzinfo=UTC), datetime(2049, 10, 28, tzinfo=UTC)


def key_of(label: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key that everybody can derive from a label."""
    number = int.from_bytes(hashlib.sha384(b"confide-sim/aws/" + label.encode()).digest())
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP384R1())


def ecdsa(digest: str = "sha384") -> x509.Algorithm:
    """ECDSA; AWS's is with SHA-384."""
    oid, make = {"sha256": ("1.2.840.10045.4.3.2", SHA256), "sha384": ("1.2.840.10045.4.3.3", SHA384)}[digest]

    def sign(key: x509.PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("an ECDSA signature needs an elliptic curve key")
        return key.sign(data, ec.ECDSA(make(), deterministic_signing=True))

    return x509.Algorithm(der.seq(der.oid(oid)), sign)


def name(common_name: str) -> x509.Name:
    """A distinguished name in AWS's order, with AWS's words replaced."""
    return (("2.5.4.6", "US"), ("2.5.4.10", "SIMULATED - NOT Amazon"), ("2.5.4.11", "SIMULATED"), ("2.5.4.3", common_name))


def issue(label: str, issuer: str, subject: str, /, *, signer: str, **overrides: Any) -> bytes:
    """A certificate; any field of `x509.Certificate`, `key` or `algorithm` may lie."""
    key, algorithm = overrides.pop("key", key_of(signer)), overrides.pop("algorithm", ecdsa())
    serial = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]) | 1
    fields = x509.Certificate(serial, name(issuer), name(subject), _CREATED, _FOREVER, x509.spki(key_of(label)), authority())
    return dataclasses.replace(fields, **overrides).sign(key, algorithm)


def authority(path_length: int | None = None) -> tuple[bytes, ...]:
    """basicConstraints and keyUsage of a CA."""
    return x509.basic_constraints(ca=True, path_length=path_length), x509.key_usage(cert_sign=True, digital_signature=True)


def end_entity() -> tuple[bytes, ...]:
    """basicConstraints and keyUsage of a leaf."""
    return x509.basic_constraints(ca=False), x509.key_usage(digital_signature=True)


@functools.cache
def root_certificate() -> bytes:
    """The self-signed root."""
    return issue("root", ROOT, ROOT, signer="root")


def root() -> Root:
    """The false root, marked simulated. One for enclaves and NitroTPM, as AWS's is."""
    return Root(Kind.NITRO, f"SIMULATED {ROOT}", root_certificate(), simulated=True)


class FalseHost:
    """A false AWS machine: an instance, with an enclave or a NitroTPM.

    Args:
        kind: `NITRO` or `NITROTPM`.
        at: when it is; leaves are made around this moment.
        seed: what its identifiers follow from; random when left out.
    """

    def __init__(self, kind: Kind = Kind.NITRO, *, at: datetime | None = None, seed: bytes | None = None) -> None:
        self.kind = kind
        self.at = (at or datetime.now(UTC)).replace(microsecond=0)
        digest = hashlib.sha256(os.urandom(16) if seed is None else seed).hexdigest()
        self.instance_id, self.seed = f"i-{digest[:17]}", digest[:32]
        self.module_id = f"{self.instance_id}-enc{digest[17:33]}" if kind is Kind.NITRO else f"{self.instance_id}-tpm{'0' * 16}"
        self.key = key_of(f"leaf/{self.seed}")

    def __repr__(self) -> str:
        return f"FalseHost(SIMULATED {self.kind.value}, {self.instance_id})"

    def bundle(self, **overrides: Mapping[str, Any]) -> list[bytes]:
        """`cabundle`, root first; overrides are of `regional`, `zonal` and `instance`."""
        regional, zonal = f"0f1e.{REGION}.{ROOT}", f"5d4c.zonal.{REGION}.{ROOT}"
        names = (ROOT, regional, zonal, f"{self.instance_id}.{REGION}.{ROOT}")
        labels = ("root", "regional", "zonal", f"instance/{self.seed}")
        found = [root_certificate()]
        for place, (short, path_length) in enumerate((("regional", 2), ("zonal", 1), ("instance", 0)), 1):
            given = {"extensions": authority(path_length), **self._window(days=1), **overrides.get(short, {})}
            found.append(issue(labels[place], names[place - 1], names[place], **{"signer": labels[place - 1], **given}))
        return found

    def leaf(self, **overrides: Any) -> bytes:
        """The certificate of the enclave or the TPM."""
        given = {"extensions": end_entity(), **self._window(hours=3), "public_key": x509.spki(self.key), **overrides}
        issuer, subject = f"{self.instance_id}.{REGION}.{ROOT}", f"{self.module_id}.{REGION}.aws"
        return issue("leaf", issuer, subject, **{"signer": f"instance/{self.seed}", **given})

    def payload(self, *, user_data: bytes | None = None, **members: Any) -> bytes:
        """The document's map. `members` replace, add, or with `...` leave out; `certificates` are overrides of the bundle, `leaf`
        of the leaf."""
        certificates, leaf = members.pop("certificates", {}), members.pop("leaf", {})
        usual: dict[str, Any] = {
            "module_id": self.module_id,
            "digest": "SHA384",
            "timestamp": round(self.at.timestamp() * 1000),
            PCRS[self.kind]: self.pcrs(),
            "certificate": self.leaf(**leaf),
            "cabundle": self.bundle(**certificates),
            "public_key": None,
            "user_data": user_data,
            "nonce": None,
        }
        return cbor({key: value for key, value in {**usual, **members}.items() if value is not ...})

    def pcrs(self) -> dict[int, bytes]:
        """What is measured: of an enclave image, kernel, application, instance; of an instance all its registers."""
        if self.kind is Kind.NITRO:
            measured = {0: b"\xa0" * 48, 1: b"\xa1" * 48, 2: b"\xa2" * 48, 4: hashlib.sha384(self.instance_id.encode()).digest()}
            return {index: measured.get(index, bytes(48)) for index in range(16)}
        return {index: bytes([0x70 + index]) * 48 if index in {0, 4, 7, 11, 12} else bytes(48) for index in range(24)}

    def message(
        self,
        payload: bytes,
        *,
        protected: Mapping[Any, Any] | bytes = ES384,
        unprotected: Mapping[Any, Any] | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        digest: HashAlgorithm | None = None,
        tag: int | None = None,
        signature: Callable[[bytes], bytes] = lambda signature: signature,
    ) -> bytes:
        """A COSE_Sign1 (RFC 9052 section 4.2), without a tag unless one is given, as AWS's are."""
        header = protected if isinstance(protected, bytes) else cbor(dict(protected))
        covered = cbor(["Signature1", header, b"", payload])
        one = key or self.key
        size = (one.curve.key_size + 7) // 8
        r, s = decode_dss_signature(one.sign(covered, ec.ECDSA(digest or SHA384(), deterministic_signing=True)))
        items = [header, dict(unprotected or {}), payload, signature(r.to_bytes(size) + s.to_bytes(size))]
        return (b"" if tag is None else head(6, tag)) + cbor(items)

    def document(self, *, user_data: bytes | None = None, message: Mapping[str, Any] | None = None, **members: Any) -> bytes:
        """A whole document; `message` are overrides of `message`, the rest of `payload`."""
        return self.message(self.payload(user_data=user_data, **members), **(message or {}))

    def evidence(self, *, report_data: bytes, **overrides: Any) -> Evidence:
        """Evidence whose `user_data` is the binding."""
        return Evidence(self.kind.value, {"document": self.document(user_data=report_data, **overrides)})

    def _window(self, **life: int) -> dict[str, datetime]:
        return {"not_before": self.at - timedelta(minutes=1), "not_after": self.at - timedelta(minutes=1) + timedelta(**life)}


# --- CBOR (RFC 8949), in the shortest form, as far as these documents need it ----------------------------------------------------


def head(major: int, value: int) -> bytes:
    """Type and argument (section 3)."""
    for extra, limit, size in ((None, 24, 0), (24, 1 << 8, 1), (25, 1 << 16, 2), (26, 1 << 32, 4), (27, 1 << 64, 8)):
        if value < limit:
            return bytes([major << 5 | (value if extra is None else extra)]) + (value.to_bytes(size) if size else b"")
    raise ValueError("too large")


def cbor(value: Any) -> bytes:
    """Integers, bytes, text, lists, maps in their own order, true, false and null; `Raw` as it is."""
    if isinstance(value, Raw):
        return value.data
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())
    if isinstance(value, Sequence):
        return head(4, len(value)) + b"".join(map(cbor, value))
    raise TypeError(type(value).__name__)


@dataclasses.dataclass(frozen=True)
class Raw:
    """Bytes that are CBOR already, or should not be."""

    data: bytes
