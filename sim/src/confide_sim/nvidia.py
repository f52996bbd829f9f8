"""A false NVIDIA: roots of devices and of manifests, GPUs and switches that sign SPDM measurements, manifests, OCSP responses.

Everything is right unless one field is overridden: `gpu.report(nonce=..., opaque={"fwid": None})`, `gpu.chain(leaf={"key":
other})`, `gpu.rim("driver", version=...)`, `gpu.ocsp(state=...)`. Distinguished names say SIMULATED; only the common names are
NVIDIA's, because architectures are told by them. Keys follow from a label, and all signatures but OCSP's are deterministic:
nothing here is a secret.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags, load_der_x509_certificate, ocsp

from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide_sim import aws, der, intel, nvidia_rim, nvidia_spdm, x509

DEVICES, MANIFESTS = "NVIDIA Device Identity CA", "NVIDIA CoRIM signing Root CA"
DRIVER, VBIOS = "570.124.06", "96.00.A5.00.01"
TCB_INFO = "2.23.133.5.4.1"
FWID = hashlib.sha384(b"confide-sim/nvidia/fwid").digest()
SWITCH_BLOCKS: Final = 31
DRIVER_INDEXES: Final = (7, *range(21, 41))  # in NVIDIA's manifests; 35 is NVDEC0's
VBIOS_INDEXES: Final = (*range(7), *range(8, 13))
_CREATED, _FOREVER = datetime(2021, 11, 5, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_RIM_END = datetime(2053, 3, 8, tzinfo=UTC)


def key_of(label: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key that everybody can derive from a label."""
    number = int.from_bytes(hashlib.sha384(b"confide-sim/nvidia/" + label.encode()).digest())
    return ec.derive_private_key(number % (aws.ORDER - 1) + 1, ec.SECP384R1())


def name(common_name: str) -> x509.Name:
    """A distinguished name with NVIDIA's words replaced."""
    return (("2.5.4.3", common_name), ("2.5.4.10", "SIMULATED - NOT NVIDIA Corporation"), ("2.5.4.6", "US"))


def issue(label: str, issuer: str, subject: str, /, *, signer: str, **overrides: Any) -> bytes:
    """A certificate; any field of `x509.Certificate`, `key` or `algorithm` may lie."""
    key, algorithm = overrides.pop("key", key_of(signer)), overrides.pop("algorithm", aws.ecdsa())
    serial = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]) | 1
    public = x509.spki(key_of(label))
    fields = x509.Certificate(serial, name(issuer), name(subject), _CREATED, _FOREVER, public, aws.authority())
    return dataclasses.replace(fields, **overrides).sign(key, algorithm)


@functools.cache
def root_certificate(common_name: str = DEVICES) -> bytes:
    """A self-signed root: of devices, or of manifests."""
    return issue(common_name, common_name, common_name, signer=common_name)


def roots() -> tuple[Root, Root]:
    """The false roots, marked simulated: the first vouches for devices, the second for manifests."""
    return (
        Root(Kind.NVIDIA, f"SIMULATED {DEVICES}", root_certificate(), simulated=True),
        Root(Kind.NVIDIA, f"SIMULATED {MANIFESTS}", root_certificate(MANIFESTS), simulated=True),
    )


def raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes, digest: HashAlgorithm | None = None) -> bytes:
    """ECDSA as r || s."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest or SHA384(), deterministic_signing=True)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def fwid_extension(*digests: bytes) -> bytes:
    """DiceTcbInfo with `fwids` (TCG DICE Attestation Architecture, section 6.1.1)."""
    fwids = b"".join(der.seq(der.oid("2.16.840.1.101.3.4.2.2"), der.octets(digest)) for digest in digests)
    return der.extension(TCB_INFO, der.seq(der.tlv(0xA6, fwids)))


class FalseGpu:
    """A false GPU, or with `architecture="LS_10"` a switch.

    Args:
        at: when it is; OCSP responses are made a day before.
        seed: what its keys follow from; random when left out.
    """

    def __init__(self, architecture: str = "GH100", *, at: datetime | None = None, seed: bytes | None = None) -> None:
        self.architecture = architecture
        self.at = (at or datetime.now(UTC)).replace(microsecond=0)
        self.seed = (os.urandom(16) if seed is None else seed).hex()
        self.key = key_of(f"leaf/{self.seed}")

    def __repr__(self) -> str:
        return f"FalseGpu(SIMULATED {self.architecture}, {self.seed[:16]})"

    @property
    def is_switch(self) -> bool:
        """Switches have no driver."""
        return self.architecture.startswith("LS")

    @property
    def leaf_key_sha256(self) -> bytes:
        """As the keyset names it."""
        return hashlib.sha256(x509.spki(self.key)).digest()

    @property
    def _names(self) -> tuple[tuple[str, str], ...]:
        """Labels and common names, leaf first."""
        unit = f"{self.architecture} A01 {'FSP' if self.is_switch else 'GSP'}"
        return (
            (f"leaf/{self.seed}", f"{unit} FMC LF"),
            (f"brom/{self.seed}", f"{unit} BROM"),
            (f"provisioner/{self.architecture}", f"NVIDIA {self.architecture} Provisioner ICA 1"),
            ("identity", "NVIDIA GH100 Identity"),
            (DEVICES, DEVICES),
        )

    def certificates(self, **overrides: Mapping[str, Any]) -> list[bytes]:
        """Leaf first, root last; overrides are of `leaf`, `brom`, `provisioner` and `identity`."""
        fwid = () if self.is_switch else (fwid_extension(FWID),)
        usual: dict[str, dict[str, Any]] = {"leaf": {"extensions": (x509.key_usage(digital_signature=True), *fwid)}}
        found = []
        for (label, subject), (signer, issuer) in zip(self._names[:-1], self._names[1:], strict=True):
            short = label.partition("/")[0]
            found.append(issue(label, issuer, subject, signer=signer, **{**usual.get(short, {}), **overrides.get(short, {})}))
        return [*found, root_certificate()]

    def chain(self, **overrides: Mapping[str, Any]) -> bytes:
        """The same in PEM."""
        return intel.pem(*self.certificates(**overrides))

    def measurements(self) -> dict[int, bytes]:
        """Blocks from 1 on."""
        count = SWITCH_BLOCKS if self.is_switch else nvidia_spdm.BLOCKS
        return {index: hashlib.sha384(f"{self.architecture}/{index}".encode()).digest() for index in range(1, count + 1)}

    def opaque(self) -> dict[str, bytes]:
        """What the device says of itself."""
        if self.is_switch:
            return {"vbios_version": VBIOS.encode()}
        parts = [bytes.fromhex(part) for part in VBIOS.split(".")]
        return {
            "driver_version": DRIVER.encode() + b"\x00",
            "vbios_version": b"".join((parts[3], parts[2], parts[1], parts[0], parts[4])) + bytes(3),
            "nvdec0_status": b"\x55",
            "chip_sku": b"882\x00",
            "project": b"1010\x00",
            "project_sku": b"0200\x00",
            "fwid": FWID,
            "protected_pcie_status": b"\x55",
        }

    def report(
        self,
        *,
        nonce: bytes,
        measurements: Mapping[int, bytes] | None = None,
        opaque: Mapping[str, bytes | None] | None = None,
        blocks: list[bytes] | None = None,
        data: bytes | None = None,
        request: Mapping[str, Any] | None = None,
        response: Mapping[str, Any] | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        digest: HashAlgorithm | None = None,
        edited: Callable[[bytes], bytes] = lambda signed: signed,
        behind: bytes = b"",
    ) -> bytes:
        """Request and signed response. `measurements` and `opaque` replace values, or with None leave one out; `edited` changes
        what was signed, after it was."""
        values = {**self.measurements(), **(measurements or {})}
        said = {name: value for name, value in {**self.opaque(), **(opaque or {})}.items() if value is not None}
        made = [nvidia_spdm.block(index, value) for index, value in values.items()] if blocks is None else blocks
        inner = nvidia_spdm.opaque({nvidia_spdm.OPAQUE[name]: value for name, value in said.items()}) if data is None else data
        answered = hashlib.sha256(b"answered" + nonce).digest()
        signed = nvidia_spdm.request(nonce, **(request or {}))
        signed += nvidia_spdm.response(made, inner, answered=answered, **(response or {}))
        return edited(signed) + raw_signature(key or self.key, signed, digest) + behind

    def evidence(self, *, nonce: bytes, index: int = 0, **overrides: Any) -> Evidence:
        """Evidence of the device that is number `index` of its machine."""
        return Evidence(Kind.NVIDIA.value, {"gpu-report": self.report(nonce=nonce, **overrides)}, index)

    def golden(self, what: str) -> dict[int, list[bytes]]:
        """What NVIDIA expects at an index: block index + 1."""
        blocks = self.measurements()
        indexes = range(SWITCH_BLOCKS) if self.is_switch else DRIVER_INDEXES if what == "driver" else VBIOS_INDEXES
        return {index: [b"\x0a" * 48, blocks[index + 1]] if index % 5 == 0 else [blocks[index + 1]] for index in indexes}

    def rim(
        self,
        what: str,
        *,
        version: str | None = None,
        golden: Mapping[int, list[bytes]] | None = None,
        indexes: tuple[int, ...] | None = None,
        inactive: frozenset[int] = frozenset(),
        key: ec.EllipticCurvePrivateKey | None = None,
        certificates: list[bytes] | None = None,
        leaf: Mapping[str, Any] | None = None,
        edited: Callable[[bytes], bytes] = lambda document: document,
    ) -> bytes:
        """NVIDIA's manifest of `driver` or `vbios`, of all indexes or some; `leaf` are overrides of its signer's certificate."""
        values = {index: each for index, each in self.golden(what).items() if indexes is None or index in indexes} | dict(
            golden or {}
        )
        resources = [nvidia_rim.resource(index, each, active=index not in inactive) for index, each in values.items()]
        pieces = nvidia_rim.body(version or (DRIVER if what == "driver" else VBIOS), self.architecture, resources)
        signer = key or key_of("rim")
        given = rim_certificates(self.at, **(leaf or {})) if certificates is None else certificates
        return edited(nvidia_rim.signed(pieces, sign=lambda data: raw_signature(signer, data), certificates=given))

    def ocsp(self, *, which: tuple[int, ...] = (1, 2, 3), **overrides: Any) -> bytes:
        """Responses for certificates of the chain by their place, one behind the other; overrides are of `status`."""
        certificates, labels = self.certificates(), [label for label, _ in self._names]
        signer = [key_of(labels[place + 1]) for place in which]
        pairs = zip(which, signer, strict=True)
        return b"".join(status(certificates[place], certificates[place + 1], key, at=self.at, **overrides) for place, key in pairs)

    def rim_ocsp(self, *, which: tuple[int, ...] = (0, 1), **overrides: Any) -> bytes:
        """The same for the signer of manifests and its authority."""
        certificates, keys = rim_certificates(self.at), (key_of("rim-ca"), key_of(MANIFESTS))
        pairs = [(certificates[place], certificates[place + 1], keys[place]) for place in which]
        return b"".join(status(subject, issuer, key, at=self.at, **overrides) for subject, issuer, key in pairs)

    def endorsements(self, **overrides: bytes | None) -> Endorsements:
        """Chain, manifests and statuses; overrides replace a role (`rim_driver`), or None leaves it out."""
        items: dict[str, bytes | None] = {"cert-chain": self.chain(), "rim-vbios": self.rim("vbios")}
        items["ocsp"] = self.ocsp() + self.rim_ocsp()
        if not self.is_switch:
            items["rim-driver"] = self.rim("driver")
        items |= {role.replace("_", "-"): value for role, value in overrides.items()}
        return Endorsements({role: value for role, value in items.items() if value is not None})


def rim_certificates(at: datetime, **leaf: Any) -> list[bytes]:
    """The signer of manifests, its authority, their root."""
    window = {"not_before": at - timedelta(days=30), "not_after": at + timedelta(days=300)}
    authority = issue("rim-ca", MANIFESTS, "NVIDIA Reference Value L3 GH100 001", signer=MANIFESTS, not_after=_RIM_END)
    given = {"extensions": aws.end_entity(), **window, **leaf}
    signer = issue("rim", "NVIDIA Reference Value L3 GH100 001", "NVIDIA CoRIM signer", **{"signer": "rim-ca", **given})
    return [signer, authority, root_certificate(MANIFESTS)]


def status(
    certificate: bytes,
    issuer: bytes,
    key: ec.EllipticCurvePrivateKey,
    *,
    at: datetime,
    state: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: ReasonFlags | None = None,
    revoked_at: datetime | None = None,
    this_update: datetime | None = None,
    next_update: datetime | None = None,
    responder: tuple[bytes, ec.EllipticCurvePrivateKey] | None = None,
    digest: HashAlgorithm | None = None,
) -> bytes:
    """An OCSP response (RFC 6960), good unless `state` says else, made a day before `at` and good for two; by the issuer, or by a
    `responder` whose certificate comes along (section 4.2.2.2)."""
    revoked = (revoked_at or at - timedelta(days=2)) if state is ocsp.OCSPCertStatus.REVOKED else None
    subject, authority = load_der_x509_certificate(certificate), load_der_x509_certificate(issuer)
    builder = ocsp.OCSPResponseBuilder().add_response(
        subject,
        authority,
        SHA384(),
        state,
        this_update or at - timedelta(days=1),
        next_update or at + timedelta(days=1),
        revoked,
        reason if revoked else None,
    )
    signer = authority
    if responder is not None:
        signer, key = load_der_x509_certificate(responder[0]), responder[1]
        builder = builder.certificates([signer])
    return builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer).sign(key, digest or SHA384()).public_bytes(Encoding.DER)


def responder(label: str, *, extended: bool = True, **overrides: Any) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """A responder that the identity CA has certified, with extendedKeyUsage OCSPSigning unless `extended` is false."""
    usage = (der.extension("2.5.29.37", der.seq(der.oid("1.3.6.1.5.5.7.3.9"))),) if extended else ()
    given = {"signer": "identity", "extensions": (*aws.end_entity(), *usage), **overrides}
    return issue(label, "NVIDIA GH100 Identity", "NVIDIA OCSP responder", **given), key_of(label)
