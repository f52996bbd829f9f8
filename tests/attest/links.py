"""Every certificate of every kind's chain, each of whose fields can lie alone: what `test_chains.py` crosses with lies.

`Link.give(**fields)` makes accepted evidence anew with one certificate changed. Fields are those of `confide_sim.x509.Certificate`,
`key` and `algorithm`; and `constraints`, `usage` (None leaves the extension out) and `extra` extensions. Left to others: lists and
OCSP (`<kind>/test_verify.py`), vendors' own extensions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.attest.accepted import DATA, NOW, SEED

from confide.attest.evidence import Kind
from confide.attest.snp.layout import Product, SigningKey
from confide.codes import Code
from confide_sim import aws, der, intel, nvidia, tpm, x509
from confide_sim.amd import FalseAmd, FalseChip
from confide_sim.aws import FalseHost
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu, rim_certificates
from confide_sim.tpm import FalseTpm

Given = Mapping[str, Mapping[str, bytes]]  # "evidence" or "endorsements" to role to bytes
Extensions = tuple[bytes, ...]

CA, LEAF = x509.basic_constraints(ca=True), x509.basic_constraints(ca=False)
CERTIFIES, SIGNS = x509.key_usage(cert_sign=True, crl_sign=True), x509.key_usage(digital_signature=True)


@dataclass(frozen=True)
class Link:
    """One certificate.

    Attributes:
        name: of the accepted evidence (`accepted.NAMES`).
        make: what is given in place of the right certificate, from overrides of it.
        usual: basicConstraints and keyUsage as the vendor writes them; None where it writes none.
        others: further extensions that the vendor writes.
        below: how many authorities stand below; None for the end entity.
        weak: the vendor's algorithm with another hash.
        issuer: the code for another issuer's name.
        key: a key that did not sign this.
    """

    name: str
    make: Callable[..., Given]
    usual: tuple[bytes | None, bytes | None] = (LEAF, SIGNS)
    others: Extensions = ()
    below: int | None = None
    weak: x509.Algorithm = field(default_factory=lambda: aws.ecdsa("sha256"))
    issuer: Code = Code.X509_ISSUER
    key: x509.PrivateKey = field(default_factory=lambda: aws.key_of("another"))

    def give(self, **fields: Any) -> Given:
        """The evidence with this one certificate changed."""
        given = dict(fields)
        changed = {"constraints", "usage", "extra"} & set(given)
        constraints, usage = given.pop("constraints", self.usual[0]), given.pop("usage", self.usual[1])
        extra = given.pop("extra", ())
        if changed:
            given["extensions"] = (*(each for each in (constraints, usage) if each is not None), *self.others, *extra)
        return self.make(**given)


# --- AMD --------------------------------------------------------------------------------------------------------------------------


def _vcek(**fields: Any) -> Given:
    """AMD's own extensions stay where they are."""
    chip = FalseChip(Product.MILAN, signing_key=SigningKey.VCEK, at=NOW, chip_id=bytes(range(1, 65)))
    more = fields.pop("extensions", ())
    issued = chip.issue(more_extensions=more, **fields)
    return {"evidence": chip.evidence(report_data=DATA).items, "endorsements": {"vcek": issued}}


def _vlek(**fields: Any) -> Given:
    chip = FalseChip(Product.TURIN, signing_key=SigningKey.VLEK, at=NOW, chip_id=bytes(range(1, 65)))
    more = fields.pop("extensions", ())
    issued = chip.issue(more_extensions=more, **fields)
    return {"evidence": chip.evidence(report_data=DATA).items, "endorsements": {"vlek": issued}}


AMD: Mapping[str, Any] = {"weak": x509.pss("sha256", 32), "key": tpm.asset_key("google_root"), "issuer": Code.X509_MISSING}
AUTHORITY_OF_AMD = (x509.basic_constraints(ca=True, path_length=0), x509.key_usage(cert_sign=True))


# --- Intel ------------------------------------------------------------------------------------------------------------------------


def _platform(kind: Kind) -> FalsePlatform:
    return FalsePlatform(kind, at=NOW, seed=SEED)


def _quote(kind: Kind, *certificates: bytes) -> Given:
    return {"evidence": {"quote": _platform(kind).quote(report_data=DATA, certification=(5, intel.pem(*certificates)))}}


def _serial(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Intel's own maker calls it `serial`."""
    return {"serial" if name == "serial_number" else name: value for name, value in fields.items()}


def _pck(**fields: Any) -> Given:
    leaf = _platform(Kind.SGX).pck(**_serial(fields))
    return _quote(Kind.SGX, leaf, intel.ca_certificate(), intel.root().der)


def _pck_ca(**fields: Any) -> Given:
    return _quote(Kind.SGX, _platform(Kind.SGX).certificate, intel.ca_certificate(**_serial(fields)), intel.root().der)


def _signer(role: str) -> Callable[..., Given]:
    def give(**fields: Any) -> Given:
        made = intel.tcb_signing_certificate(**_serial(fields))
        return {"endorsements": {role: intel.pem(made, intel.root().der)}}

    return give


def _extension_of_intel() -> bytes:
    """The PCK's, which must be read before anything else can be told."""
    whole = _platform(Kind.SGX)
    return der.extension(intel.EXTENSION, whole._extension({}))


INTEL: Mapping[str, Any] = {"weak": intel.ecdsa("sha384"), "key": intel.key_of("another")}
AUTHORITY_OF_INTEL = (x509.basic_constraints(ca=True, path_length=0), CERTIFIES)


# --- AWS, NVIDIA ------------------------------------------------------------------------------------------------------------------


def _document(kind: Kind, which: str) -> Callable[..., Given]:
    def give(**fields: Any) -> Given:
        lies: dict[str, Any] = {"leaf": fields} if which == "leaf" else {"certificates": {which: fields}}
        return {"evidence": {"document": FalseHost(kind, at=NOW, seed=SEED).document(user_data=DATA, **lies)}}

    return give


def _device(which: str) -> Callable[..., Given]:
    return lambda **fields: {"endorsements": {"cert-chain": FalseGpu(at=NOW, seed=SEED).chain(**{which: fields})}}


def _manifest(**fields: Any) -> Given:
    return {"endorsements": {"rim-driver": FalseGpu(at=NOW, seed=SEED).rim("driver", leaf=fields)}}


def _manifests(**fields: Any) -> Given:
    """The authority above the signer of manifests."""
    signer, _, root = rim_certificates(NOW)
    name = "NVIDIA Reference Value L3 GH100 001"
    authority = nvidia.issue("rim-ca", nvidia.MANIFESTS, name, signer=nvidia.MANIFESTS, **fields)
    return {"endorsements": {"rim-driver": FalseGpu(at=NOW, seed=SEED).rim("driver", certificates=[signer, authority, root])}}


AUTHORITY_OF_AWS = (CA, x509.key_usage(cert_sign=True, digital_signature=True))
FWID = nvidia.fwid_extension(nvidia.FWID)


# --- clouds -----------------------------------------------------------------------------------------------------------------------


def _ak(**fields: Any) -> Given:
    one = FalseTpm(tpm.GOOGLE, at=NOW)
    issued = one.issue(**({"usual": ()} if "extensions" in fields else {}), **fields)
    return {"evidence": one.items(extra_data=DATA[:32]), "endorsements": {"ak-cert": issued}}


def _cloud(**fields: Any) -> Given:
    return {"endorsements": {"ak-chain": tpm.GOOGLE.issue_signer(**fields)}}


CLOUD: Mapping[str, Any] = {"weak": tpm.pkcs1(1), "key": tpm.asset_key("azure_root"), "issuer": Code.X509_MISSING}


LINKS: Mapping[str, Link] = {
    "VCEK": Link("snp", _vcek, (None, None), **AMD),
    "VLEK": Link("snp, VLEK on Turin", _vlek, (None, None), **AMD),
    "ASK": Link(
        "snp",
        lambda **fields: {"endorsements": {"ask": FalseAmd().issue_ask(**fields)}},
        AUTHORITY_OF_AMD,
        below=0,
        **{**AMD, "issuer": Code.X509_ROOT},
    ),
    "ASVK": Link(
        "snp, VLEK on Turin",
        lambda **fields: {"endorsements": {"asvk": FalseAmd(Product.TURIN).issue_asvk(**fields)}},
        AUTHORITY_OF_AMD,
        below=0,
        **{**AMD, "issuer": Code.X509_ROOT},
    ),
    "PCK": Link("sgx", _pck, others=(_extension_of_intel(),), **INTEL, issuer=Code.X509_MISSING),
    "PCK CA": Link("sgx", _pck_ca, AUTHORITY_OF_INTEL, below=0, **INTEL, issuer=Code.X509_ROOT),
    "signer of TCB info": Link("tdx", _signer("tcb-info-chain"), **INTEL, issuer=Code.X509_ROOT),
    "signer of QE identity": Link("tdx", _signer("qe-identity-chain"), **INTEL, issuer=Code.X509_ROOT),
    **{
        f"{which} of {kind.value}": Link(
            kind.value, _document(kind, which), (LEAF, SIGNS) if below is None else AUTHORITY_OF_AWS, below=below
        )
        for kind in (Kind.NITRO, Kind.NITROTPM)
        for which, below in (("leaf", None), ("instance", 0), ("zonal", 1), ("regional", 2))
    },
    "leaf of a GPU": Link("nvidia", _device("leaf"), (None, SIGNS), others=(FWID,)),
    "firmware of a GPU": Link("nvidia", _device("brom"), AUTHORITY_OF_AWS, below=0),
    "provisioner of a GPU": Link("nvidia", _device("provisioner"), AUTHORITY_OF_AWS, below=1),
    "identity of a GPU": Link("nvidia", _device("identity"), AUTHORITY_OF_AWS, below=2),
    "signer of manifests": Link("nvidia", _manifest),
    "authority of manifests": Link("nvidia", _manifests, AUTHORITY_OF_AWS, below=0),
    "attestation key": Link("tpm", _ak, **CLOUD),
    "cloud's intermediate": Link("tpm", _cloud, (CA, CERTIFIES), below=0, **CLOUD),
}
