"""False clouds that vouch for false TPMs: authorities whose private keys are public, keys, quotes and logs of the real shape.

Everything is right unless one field is overridden: `tpm.issue(not_after=...)`, `tpm.evidence(extra_data=..., magic=b"XXXX")`,
`cloud.crl(revoked=...)`. Distinguished names say SIMULATED; common names are the clouds', because the verifier reads the authority
from them. Left to others: the bytes of structures (`tpm_structures`), Azure's confidential VMs (`azure`).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide_sim import der, tpm_structures, x509
from confide_sim.tpm_structures import Event

ASSETS = resources.files("confide_sim") / "assets" / "tpm"
EKU, CRL_NUMBER, GCE_INSTANCE = "2.5.29.37", "2.5.29.20", "1.3.6.1.4.1.11129.2.1.21"
EK_USAGE, AK_USAGE = "2.23.133.8.1", "2.23.133.8.3"
_CREATED, _FOREVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
SHA256 = 0x000B


def name(common_name: str) -> x509.Name:
    """A distinguished name that says what it is."""
    return (("2.5.4.10", "SIMULATED - NOT a cloud"), ("2.5.4.11", "SIMULATED"), ("2.5.4.3", common_name))


def pkcs1(bits: int = 256) -> x509.Algorithm:
    """RSASSA-PKCS1-v1_5 with SHA-256, SHA-384 or SHA-512 (RFC 4055 section 5)."""
    last, make = {256: (11, hashes.SHA256), 384: (12, hashes.SHA384), 512: (13, hashes.SHA512), 1: (5, hashes.SHA1)}[bits]

    def sign(key: x509.PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("an RSA signature needs an RSA key")
        return key.sign(data, padding.PKCS1v15(), make())

    return x509.Algorithm(der.seq(der.oid(f"1.2.840.113549.1.1.{last}"), der.null()), sign)


def usages(*dotted: str) -> bytes:
    """extendedKeyUsage (RFC 5280 section 4.2.1.12)."""
    return der.extension(EKU, der.seq(*(der.oid(each) for each in dotted)))


def instance(
    zone: str = "nowhere1-a",
    number: int = 7,
    project: str = "simulated-project",
    identifier: int = 0x0123456789ABCDEF,
    instance_name: str = "simulated",
    *,
    production: bool | None = True,
) -> bytes:
    """Google's extension about the machine; `production` None leaves the security properties out."""
    properties = der.seq(der.explicit(0, der.integer(0)), der.explicit(1, der.boolean(bool(production))))
    parts = [der.text(zone), der.integer(number), der.text(project), der.integer(identifier), der.text(instance_name)]
    parts += [] if production is None else [der.explicit(0, properties)]
    return der.extension(GCE_INSTANCE, der.seq(*parts))


@functools.cache
def asset_key(asset: str) -> rsa.RSAPrivateKey:
    """The published private key of a false authority."""
    key = load_pem_private_key((ASSETS / f"{asset}.key.pem").read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(asset)
    return key


@dataclass(frozen=True)
class FalseCloud:
    """An authority for false TPMs: a root and one intermediate. Every `issue_...` lets one field lie."""

    label: str  # names its files
    root_name: str
    signer_name: str
    path_length: int | None

    @property
    def root(self) -> bytes:
        """The false root, a constant."""
        return (ASSETS / f"{self.label}_root.der").read_bytes()

    @property
    def signer(self) -> bytes:
        """The false intermediate, a constant."""
        return (ASSETS / f"{self.label}_signer.der").read_bytes()

    @property
    def pinned(self) -> Root:
        """The root as verifiers take it, marked simulated."""
        return Root(Kind.TPM, f"SIMULATED {self.root_name}", self.root, simulated=True)

    def issue_root(self, **overrides: Any) -> bytes:
        """A self-signed root as the clouds' are."""
        extensions = (x509.basic_constraints(ca=True), x509.key_usage(cert_sign=True, crl_sign=True))
        subject = name(self.root_name)
        fields = x509.Certificate(1, subject, subject, _CREATED, _FOREVER, self._public("root"), extensions)
        return _issue(fields, self._key("root"), overrides)

    def issue_signer(self, **overrides: Any) -> bytes:
        """The intermediate that certifies keys of TPMs."""
        constraints = x509.basic_constraints(ca=True, path_length=self.path_length)
        extensions = (constraints, x509.key_usage(cert_sign=True, crl_sign=True), usages(EK_USAGE, AK_USAGE))
        issuer, subject = name(self.root_name), name(self.signer_name)
        fields = x509.Certificate(2, issuer, subject, _CREATED, _FOREVER, self._public("signer"), extensions)
        return _issue(fields, self._key("root"), overrides)

    def issue_ak(self, public_key: bytes, *, at: datetime, extensions: tuple[bytes, ...] = (), **overrides: Any) -> bytes:
        """A key's certificate, of thirty years as Google's are; `extensions` come behind the usual ones, `usual` replaces these."""
        start = (at - timedelta(days=1)).replace(microsecond=0)
        end = min(start + timedelta(days=365 * 30), _FOREVER)
        usual = overrides.pop("usual", (x509.key_usage(digital_signature=True), x509.basic_constraints(ca=False)))
        issuer, subject = name(self.signer_name), name("simulated attestation key")
        fields = x509.Certificate(0x5151, issuer, subject, start, end, public_key, (*usual, *extensions))
        return _issue(fields, self._key("signer"), overrides)

    def crl(self, *, at: datetime, revoked: tuple[int, ...] = (), of: str = "root", **overrides: Any) -> bytes:
        """The list of the root (or, `of="signer"`, of the intermediate): made a day before `at`, good for 30 days."""
        key, algorithm = overrides.pop("key", self._key(of)), overrides.pop("algorithm", pkcs1())
        fields = {"this_update": at - timedelta(days=1), "next_update": at + timedelta(days=29), "revoked": revoked, **overrides}
        issuer = name(self.root_name if of == "root" else self.signer_name)
        return x509.RevocationList(**{"issuer": issuer, **fields}).sign(key, algorithm)

    def _key(self, which: str) -> rsa.RSAPrivateKey:
        return asset_key(f"{self.label}_{which}")

    def _public(self, which: str) -> bytes:
        return x509.spki(self._key(which))


GOOGLE: Final = FalseCloud("google", "EK/AK CA Root", "EK/AK CA Intermediate", None)
AZURE: Final = FalseCloud("azure", "Azure Virtual TPM Root Certificate Authority 2023", "Global Virtual TPM CA - 01", 0)
CLOUDS: Final[tuple[FalseCloud, ...]] = (GOOGLE, AZURE)


def _issue(fields: x509.Certificate, signer: x509.PrivateKey, overrides: Mapping[str, Any]) -> bytes:
    """Override fields, or sign with another `key` or `algorithm`, or append `more_extensions`."""
    given = dict(overrides)
    key, algorithm = given.pop("key", signer), given.pop("algorithm", pkcs1())
    more = given.pop("more_extensions", ())
    fields = dataclasses.replace(fields, **given)
    return dataclasses.replace(fields, extensions=fields.extensions + tuple(more)).sign(key, algorithm)


def boot_events(*, technology: int = 0, secure_boot: bool = True, kernel: bytes = b"kernel") -> tuple[Event, ...]:
    """What a machine of Google's measures when it starts, in short."""
    separators = tuple(Event(register, 0x04, bytes(4)) for register in range(8))
    return (
        Event(0, 0x08, "GCE Virtual Firmware v1\x00".encode("utf-16-le")),
        Event(0, 0x11, b"GCE NonHostInfo\x00" + bytes((technology,)) + bytes(15)),
        Event(7, 0x80000001, tpm_structures.efi_variable("SecureBoot", bytes((secure_boot,)))),
        *separators,
        Event(4, 0x80000003, b"boot loader"),
        Event(8, 0x0D, b"command line"),
        Event(9, 0x0D, kernel),
    )


class FalseTpm:
    """A false TPM: an attestation key that a false cloud certifies, and PCRs that a boot log leads to.

    Args:
        cloud: whose; Google's keys are of P-256, Azure's of RSA 2048.
        at: when it is; certificates are made around this moment.
        events: the boot log; PCRs follow from it.
        key: the attestation key, made when left out.
    """

    def __init__(
        self,
        cloud: FalseCloud = GOOGLE,
        *,
        at: datetime | None = None,
        events: Sequence[Event] | None = None,
        key: tpm_structures.PrivateKey | None = None,
    ) -> None:
        self.cloud = cloud
        self.at = at or datetime.now(UTC)
        self.events = tuple(boot_events() if events is None else events)
        self.key: tpm_structures.PrivateKey = key or (
            ec.generate_private_key(ec.SECP256R1()) if cloud is GOOGLE else rsa.generate_private_key(65537, 2048)
        )
        self.certificate = self.issue()

    def __repr__(self) -> str:
        return f"FalseTpm(SIMULATED {self.cloud.label})"

    def issue(self, **overrides: Any) -> bytes:
        """The certificate of the attestation key, or one in which a field lies."""
        public, at = overrides.pop("public_key", x509.spki(self.key)), overrides.pop("at", self.at)
        own = (instance(),) if self.cloud is GOOGLE else (usages("1.3.6.1.4.1.311.10.3.12", AK_USAGE),)
        return self.cloud.issue_ak(public, at=at, **{"extensions": own, **overrides})

    def pcrs(self, bank: int = SHA256, events: Sequence[Event] | None = None) -> dict[int, bytes]:
        """All 24 values after the boot log: 17 to 22 begin with FF (PC Client profile, "PCR Initial Values")."""
        return tpm_structures.replay(self.events if events is None else events, bank)

    def items(self, *, extra_data: bytes, **overrides: Any) -> dict[str, bytes]:
        """`attest`, `signature`, `pcrs`, `ak-public`, `event-log`. Overrides are fields of `tpm_structures.quote`; `edited` is
        applied to the quote after signing; `items` replaces an item, or leaves it out where it is None."""
        edited: Callable[[bytes], bytes] = overrides.pop("edited", lambda data: data)
        replaced, key = overrides.pop("items", {}), overrides.pop("key", self.key)
        scheme = overrides.pop("scheme", None)
        digest, bank = overrides.pop("signature_hash", SHA256), overrides.get("bank", SHA256)
        values = overrides.pop("pcrs", None) or self.pcrs(bank)
        public = tpm_structures.public(self.key, digest=digest)
        given = {"signer": tpm_structures.qualified_name(public), "digest_hash": digest, **overrides}
        attest = tpm_structures.quote(values, extra_data=extra_data, **given)
        found: dict[str, bytes | None] = {
            "attest": edited(attest),
            "signature": tpm_structures.sign(attest, key, scheme=scheme, digest=digest),
            "pcrs": tpm_structures.pcrs_json(values),
            "ak-public": public,
            "event-log": tpm_structures.event_log(self.events),
            **replaced,
        }
        return {role: value for role, value in found.items() if value is not None}

    def evidence(self, *, extra_data: bytes, **overrides: Any) -> Evidence:
        """Evidence with one quote."""
        return Evidence(Kind.TPM.value, self.items(extra_data=extra_data, **overrides))

    def endorsements(self, *, crl: bool | bytes = True, at: datetime | None = None, **overrides: bytes | None) -> Endorsements:
        """The chain, and the root's list made around `at`; overrides replace a role (`ak_chain`), or None leaves it out."""
        items: dict[str, bytes | None] = {"ak-cert": self.certificate, "ak-chain": self.cloud.signer}
        if crl:
            items["ak-crl"] = crl if isinstance(crl, bytes) else self.cloud.crl(at=at or self.at)
        items |= {role.replace("_", "-"): value for role, value in overrides.items()}
        return Endorsements({role: value for role, value in items.items() if value is not None})
