"""A false AMD: ARK, ASK and ASVK whose private keys are public, chips with VCEK or VLEK, reports and lists of the real shape.

Everything is right unless one field is overridden: `chip.issue(not_after=...)`, `chip.report(vmpl=1)`, `amd.crl(revoked=...)`.
Distinguished names say SIMULATED; only the common names are AMD's, because the verifier reads the product from them.
"""

import dataclasses
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from confide.attest.evidence import Endorsements, Evidence, Kind, Root
from confide.attest.snp.layout import Product, SigningKey, Tcb
from confide_sim import der, report, x509
from confide_sim.keys import false_amd_certificate, false_amd_key

ARC = "1.3.6.1.4.1.3704.1."
TCBS: Final[Mapping[Product, Tcb]] = {
    Product.MILAN: Tcb(boot_loader=4, tee=0, snp=24, microcode=219),
    Product.GENOA: Tcb(boot_loader=10, tee=0, snp=25, microcode=84),
    Product.TURIN: Tcb(fmc=0, boot_loader=1, tee=0, snp=2, microcode=71),
}
STEPPINGS: Final[Mapping[Product, str]] = {Product.MILAN: "Milan-B0", Product.GENOA: "Genoa", Product.TURIN: "Turin"}
CSP_ID = "CN=simulated-cloud.invalid"
_SERIALS: Final[Mapping[Product, int]] = {Product.MILAN: 0x1_0000, Product.GENOA: 0x2_0000, Product.TURIN: 0x3_0000}
_CREATED = datetime(2020, 1, 1, tzinfo=UTC)  # before any clock that a test or a demonstration runs at
_FOREVER = datetime(2050, 1, 1, tzinfo=UTC)


def name(common_name: str) -> x509.Name:
    """A distinguished name in AMD's order, with AMD's words replaced."""
    unit, country, locality, state, organisation = "2.5.4.11", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10"
    return (
        (unit, "SIMULATED"),
        (country, "US"),
        (locality, "Nowhere"),
        (state, "SIMULATED"),
        (organisation, "SIMULATED - NOT Advanced Micro Devices"),
        ("2.5.4.3", common_name),
    )


def root(product: Product) -> Root:
    """The false ARK of one product, marked simulated."""
    return Root(Kind.SNP, f"SIMULATED ARK-{product}", false_amd_certificate(f"ark_{product.lower()}"), simulated=True)


@dataclasses.dataclass(frozen=True)
class FalseAmd:
    """The false vendor for one product. Every `issue_...` lets a field of `x509.Certificate`, `algorithm` or `key` lie."""

    product: Product = Product.MILAN

    @property
    def ark(self) -> bytes:
        """The false root, a constant."""
        return false_amd_certificate(self._asset("ark"))

    @property
    def ask(self) -> bytes:
        """The false intermediate for VCEKs, a constant."""
        return false_amd_certificate(self._asset("ask"))

    @property
    def asvk(self) -> bytes:
        """The false intermediate for VLEKs, a constant."""
        return false_amd_certificate(self._asset("asvk"))

    def issue_ark(self, **overrides: Any) -> bytes:
        """A self-signed root as AMD's ARKs are."""
        subject = name(f"ARK-{self.product}")
        fields = self._authority("ark", subject, subject, _SERIALS[self.product], crl_sign=True)
        return _issue(fields, {"key": false_amd_key(self._asset("ark")), **overrides})

    def issue_ask(self, **overrides: Any) -> bytes:
        """An intermediate for VCEKs."""
        return self._intermediate("ask", f"SEV-{self.product}", 1, overrides)

    def issue_asvk(self, **overrides: Any) -> bytes:
        """An intermediate for VLEKs."""
        return self._intermediate("asvk", f"SEV-VLEK-{self.product}", 0x101, overrides)

    def issue_vcek(self, public_key: bytes, *, tcb: Tcb, hwid: bytes, at: datetime, **overrides: Any) -> bytes:
        """A chip's certificate: serial number 0, seven years."""
        own = {"4": hwid[:8] if self.product is Product.TURIN else hwid}
        return self._leaf("ask", f"SEV-{self.product}", "SEV-VCEK", STEPPINGS[self.product], 7, public_key, tcb, at, own, overrides)

    def issue_vlek(self, public_key: bytes, *, tcb: Tcb, at: datetime, csp_id: str = CSP_ID, **overrides: Any) -> bytes:
        """A provider's certificate: serial number 0, one year."""
        own = {"5": der.text(csp_id, der.IA5)}
        issuer = f"SEV-VLEK-{self.product}"
        return self._leaf("asvk", issuer, "SEV-VLEK", self.product.value, 1, public_key, tcb, at, own, overrides)

    def crl(self, *, at: datetime, revoked: tuple[int, ...] = (), **overrides: Any) -> bytes:
        """The root's revocation list: made a day before `at`, good for 30 days. Overrides: fields of `x509.RevocationList`."""
        key, algorithm = overrides.pop("key", false_amd_key(self._asset("ark"))), overrides.pop("algorithm", x509.pss())
        fields = {"this_update": at - timedelta(days=1), "next_update": at + timedelta(days=29), "revoked": revoked, **overrides}
        return x509.RevocationList(**{"issuer": name(f"ARK-{self.product}"), **fields}).sign(key, algorithm)

    def serial_number(self, intermediate: str) -> int:
        """Of this product's `ask` or `asvk`, for revocation."""
        return _SERIALS[self.product] + {"ark": 0, "ask": 1, "asvk": 0x101}[intermediate]

    def _asset(self, kind: str) -> str:
        return f"{kind}_{self.product.lower()}"

    def _intermediate(self, kind: str, common_name: str, number: int, overrides: dict[str, Any]) -> bytes:
        serial = _SERIALS[self.product] + number
        fields = self._authority(kind, name(f"ARK-{self.product}"), name(common_name), serial, path_length=0)
        return _issue(fields, {"key": false_amd_key(self._asset("ark")), **overrides})

    def _authority(
        self,
        kind: str,
        issuer: x509.Name,
        subject: x509.Name,
        serial: int,
        *,
        path_length: int | None = None,
        crl_sign: bool = False,
    ) -> x509.Certificate:
        """An authority's certificate; extensions as AMD's ARK, ASK and ASVK have them."""
        usage = x509.key_usage(cert_sign=True, crl_sign=crl_sign)
        constraints = x509.basic_constraints(ca=True, path_length=path_length)
        public = x509.spki(false_amd_key(self._asset(kind)))
        return x509.Certificate(serial, issuer, subject, _CREATED, _FOREVER, public, (usage, constraints))

    def _leaf(
        self,
        issuer_key: str,
        issuer: str,
        subject: str,
        product_name: str,
        years: int,
        public_key: bytes,
        tcb: Tcb,
        at: datetime,
        own: dict[str, bytes],
        overrides: dict[str, Any],
    ) -> bytes:
        """`amd` overrides single AMD extensions by the end of their identifier: `{"3.1": b"..."}`, or None to leave one out."""
        values = {**_common_extensions(self.product, product_name, tcb), **own, **overrides.pop("amd", {})}
        extensions = tuple(der.extension(ARC + key, value) for key, value in values.items() if value is not None)
        start = (at - timedelta(days=1)).replace(microsecond=0)
        end = start + timedelta(days=365 * years)
        fields = x509.Certificate(0, name(issuer), name(subject), start, end, public_key, extensions)
        return _issue(fields, {"key": false_amd_key(self._asset(issuer_key)), **overrides})


def _issue(fields: x509.Certificate, overrides: dict[str, Any]) -> bytes:
    """Override fields, or sign with another `key` or `algorithm`, or append `more_extensions`."""
    given = dict(overrides)
    key, algorithm = given.pop("key"), given.pop("algorithm", x509.pss())
    more = given.pop("more_extensions", ())
    fields = dataclasses.replace(fields, **given)
    return dataclasses.replace(fields, extensions=fields.extensions + tuple(more)).sign(key, algorithm)


def _common_extensions(product: Product, product_name: str, tcb: Tcb) -> dict[str, bytes]:
    turin = product is Product.TURIN
    numbers = {"3.9": tcb.fmc} if turin else {}
    numbers |= {"3.1": tcb.boot_loader, "3.2": tcb.tee, "3.3": tcb.snp}
    numbers |= dict.fromkeys(("3.5", "3.6", "3.7") if turin else ("3.4", "3.5", "3.6", "3.7"), 0)
    numbers |= {"3.8": tcb.microcode}
    values = {"1": der.integer(int(turin)), "2": der.text(product_name, der.IA5)}
    return values | {key: der.integer(value) for key, value in numbers.items()}


class FalseChip:
    """A false chip: an endorsement key certified by the false AMD, which signs reports.

    Args:
        product: which false AMD certifies it.
        signing_key: VCEK (bound to the chip) or VLEK (bound to a provider).
        at: when it is; certificates and revocation lists are made around this moment.
        chip_id: 64 bytes; random when left out. On Turin only the first 8 count.
    """

    def __init__(
        self,
        product: Product = Product.MILAN,
        *,
        signing_key: SigningKey = SigningKey.VCEK,
        at: datetime | None = None,
        chip_id: bytes | None = None,
        tcb: Tcb | None = None,
    ) -> None:
        self.amd = FalseAmd(product)
        self.product = product
        self.signing_key = signing_key
        self.at = at or datetime.now(UTC)
        raw = os.urandom(64) if chip_id is None else chip_id
        self.chip_id = raw[:8].ljust(64, b"\x00") if product is Product.TURIN else raw
        self.tcb = tcb or TCBS[product]
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.certificate = self.issue()

    def __repr__(self) -> str:
        return f"FalseChip(SIMULATED {self.product}, {self.signing_key.name})"

    def issue(self, **overrides: Any) -> bytes:
        """The chip's VCEK or VLEK certificate, or one in which a field lies."""
        public, tcb = overrides.pop("public_key", x509.spki(self.key)), overrides.pop("tcb", self.tcb)
        at = overrides.pop("at", self.at)
        if self.signing_key is SigningKey.VLEK:
            return self.amd.issue_vlek(public, tcb=tcb, at=at, **overrides)
        return self.amd.issue_vcek(public, tcb=tcb, hwid=overrides.pop("hwid", self.chip_id), at=at, **overrides)

    def report(self, *, report_data: bytes, measurement: bytes = b"\x5a" * 48, **overrides: Any) -> bytes:
        """A signed report. Overrides are fields of `confide_sim.report.FIELDS`; `edited` is applied after signing."""
        edited, key = overrides.pop("edited", {}), overrides.pop("key", self.key)
        fields = {**self._fields(), "report_data": report_data, "measurement": measurement, **overrides}
        return report.edit(report.sign(report.encode(fields), key), edited)

    def evidence(self, *, report_data: bytes, **overrides: Any) -> Evidence:
        """Evidence with one report."""
        return Evidence(Kind.SNP.value, {"report": self.report(report_data=report_data, **overrides)})

    def endorsements(self, *, crl: bool | bytes = True, at: datetime | None = None, **overrides: bytes | None) -> Endorsements:
        """The chain and a revocation list made around `at`; overrides replace a role (`cert_chain`), or None leaves it out."""
        leaf, middle = ("vlek", "asvk") if self.signing_key is SigningKey.VLEK else ("vcek", "ask")
        items: dict[str, bytes | None] = {leaf: self.certificate, middle: getattr(self.amd, middle), "ark": self.amd.ark}
        if crl:
            items["crl"] = crl if isinstance(crl, bytes) else self.amd.crl(at=at or self.at)
        items |= {role.replace("_", "-"): value for role, value in overrides.items()}
        return Endorsements({role: value for role, value in items.items() if value is not None})

    def _fields(self) -> dict[str, Any]:
        family, model, stepping = {Product.MILAN: (0x19, 1, 1), Product.GENOA: (0x19, 0x11, 1), Product.TURIN: (0x1A, 2, 1)}[
            self.product
        ]
        tcb = report.tcb_bytes(self.tcb, turin=self.product is Product.TURIN)
        vlek = self.signing_key is SigningKey.VLEK
        return {
            "signing_key": self.signing_key.value,
            "current_tcb": tcb,
            "reported_tcb": tcb,
            "committed_tcb": tcb,
            "launch_tcb": tcb,
            "cpuid_family": family,
            "cpuid_model": model,
            "cpuid_stepping": stepping,
            "chip_id": bytes(64) if vlek else self.chip_id,
            "version": 5 if self.product is Product.TURIN else 3,
        }
