"""Chains of every kind that are wrong as a whole: empty, cut, too many, too long, in a circle, doubled, turned round.

What is too much is refused before it is parsed, or before anything is verified. Left to others: what one certificate says
(`test_chains.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from tests.attest.accepted import DATA, NAMES, NOW, SEED, accepted
from tests.support import frugal, refused

from confide.attest.evidence import Kind
from confide.attest.x509 import MAX_CERTIFICATES
from confide.codes import Code
from confide_sim import intel, tpm
from confide_sim.amd import FalseAmd
from confide_sim.amd import name as name_of_amd
from confide_sim.aws import FalseHost
from confide_sim.intel import FalsePlatform, armour, pem
from confide_sim.nvidia import FalseGpu, rim_certificates

MANY = 10_000
BOUND = 8 << 20  # bytes that a refusal may take, the input aside

# --- roles as a whole -------------------------------------------------------------------------------------------------------------

CERTIFICATES = {"vcek", "vlek", "ask", "asvk", "ark", "ak-cert", "ak-chain", "cert-chain", "tcb-info-chain", "qe-identity-chain"}
LISTS = {"crl", "pck-crl", "root-crl", "ak-crl"}
ROLES = [(name, role) for name in NAMES for role in accepted(name).endorsements.items if role in CERTIFICATES | LISTS]


def in_pem(data: bytes, role: str) -> bytes:
    if data.startswith(b"-----"):
        return data
    return armour("X509 CRL" if role in LISTS else "CERTIFICATE", data)


WHOLE: Mapping[str, tuple[Code, Callable[[bytes, str], bytes]]] = {
    "nothing": (Code.X509_MALFORMED, lambda _data, _role: b""),
    "white space": (Code.X509_MALFORMED, lambda _data, _role: b"\n \n"),
    "JSON": (Code.X509_MALFORMED, lambda _data, _role: b"{}"),
    "half of it": (Code.X509_MALFORMED, lambda data, _role: data[: len(data) // 2]),
    "half of it in PEM": (Code.X509_MALFORMED, lambda data, role: in_pem(data, role)[: len(in_pem(data, role)) // 2]),
    "one more than may be": (Code.X509_MALFORMED, lambda data, role: in_pem(data, role) * (MAX_CERTIFICATES + 1)),
    "ten thousand": (Code.X509_TOO_LARGE, lambda data, role: in_pem(data, role) * MANY),
    "ten thousand in DER": (Code.X509_TOO_LARGE, lambda data, _role: data * MANY),
    "a private key": (Code.X509_MALFORMED, lambda _data, _role: armour("PRIVATE KEY", bytes(64))),
    "a length of 2 GiB": (Code.X509_MALFORMED, lambda data, _role: b"\x30\x84\x7f\xff\xff\xff" + data[4:]),
    "a length without end": (Code.X509_MALFORMED, lambda data, _role: b"\x30\x80" + data[4:]),
    "beginnings alone": (Code.X509_MALFORMED, lambda _data, _role: b"-----BEGIN CERTIFICATE-----\n" * 4000),
}


@pytest.mark.parametrize("what", WHOLE)
@pytest.mark.parametrize(("name", "role"), ROLES, ids=[f"{name}: {role}" for name, role in ROLES])
def test_a_role_that_holds_something_else_is_refused(name: str, role: str, what: str) -> None:
    code, change = WHOLE[what]
    one = accepted(name)
    given = change(one.endorsements.items[role], role)
    with frugal(BOUND), refused(code):
        one.verify(endorsements={role: given})


# --- chains of clouds: names lead from one to the next ----------------------------------------------------------------------------

SIGNER, ROOT = tpm.name(tpm.GOOGLE.signer_name), tpm.name(tpm.GOOGLE.root_name)
SIGNER_KEY, ROOT_KEY = tpm.asset_key("google_signer"), tpm.asset_key("google_root")


def steps(count: int) -> bytes:
    """So many intermediates, each issued by the next, the last by the pinned root. All have one key."""
    names = [SIGNER, *(tpm.name(f"step {depth}") for depth in range(1, count)), ROOT]
    keys = [SIGNER_KEY] * (count - 1) + [ROOT_KEY]
    made = zip(names[:-1], names[1:], keys, strict=True)
    return pem(*(tpm.GOOGLE.issue_signer(subject=below, issuer=above, key=key) for below, above, key in made))


def circle() -> bytes:
    other = tpm.name("round and round")
    pair = (
        tpm.GOOGLE.issue_signer(issuer=other, key=SIGNER_KEY),
        tpm.GOOGLE.issue_signer(subject=other, issuer=SIGNER, key=SIGNER_KEY),
    )
    return pem(*pair)


CLOUDS: Mapping[str, tuple[Code, Callable[[], bytes]]] = {
    "four intermediates": (Code.X509_MISSING, lambda: steps(4)),
    "fifteen intermediates": (Code.X509_MISSING, lambda: steps(15)),
    "a circle": (Code.X509_MISSING, circle),
    "one that issued itself": (Code.X509_ROOT, lambda: tpm.GOOGLE.issue_signer(issuer=SIGNER, key=SIGNER_KEY)),
    "the key's own certificate": (Code.X509_MISSING, lambda: accepted("tpm").endorsements.items["ak-cert"]),
    "another cloud's": (Code.X509_MISSING, lambda: tpm.AZURE.signer),
}


@pytest.mark.parametrize("what", CLOUDS)
def test_a_chain_of_a_cloud_that_leads_nowhere_is_refused(what: str) -> None:
    code, make = CLOUDS[what]
    with refused(code):
        accepted("tpm").verify(endorsements={"ak-chain": make()})


@pytest.mark.parametrize(
    "make", [lambda: steps(2), lambda: steps(3), lambda: pem(tpm.GOOGLE.signer) * 3], ids=["two", "three", "doubled"]
)
def test_a_chain_of_a_cloud_that_leads_to_its_root_is_taken(make: Callable[[], bytes]) -> None:
    accepted("tpm").verify(endorsements={"ak-chain": make()})


# --- chains of devices: order counts ----------------------------------------------------------------------------------------------


def device(*places: int) -> dict[str, Any]:
    chain = FalseGpu(at=NOW, seed=SEED).certificates()
    return {"endorsements": {"cert-chain": pem(*(chain[place] for place in places))}}


def bundle(*places: int) -> dict[str, Any]:
    host = FalseHost(at=NOW, seed=SEED)
    chain = host.bundle()
    return {"evidence": {"document": host.document(user_data=DATA, cabundle=[chain[place] for place in places])}}


ORDERED: Mapping[str, tuple[str, Code, Callable[..., dict[str, Any]], Sequence[int]]] = {
    "a device's turned round": ("nvidia", Code.X509_ROOT, device, (4, 3, 2, 1, 0)),
    "a device's without its leaf": ("nvidia", Code.X509_BASIC_CONSTRAINTS, device, (1, 2, 3, 4)),
    "a device's leaf alone": ("nvidia", Code.X509_ROOT, device, (0,)),
    "a device's root alone": ("nvidia", Code.NVIDIA_CHAIN, device, (4,)),
    "a device's without its middle": ("nvidia", Code.X509_ISSUER, device, (0, 1, 3, 4)),
    "a device's with its root twice": ("nvidia", Code.X509_REPEATED, device, (0, 1, 2, 3, 4, 4)),
    "a device's with its leaf twice": ("nvidia", Code.X509_REPEATED, device, (0, 0, 1, 2, 3, 4)),
    "a device's that goes up and down": ("nvidia", Code.X509_REPEATED, device, (0, 1, 2, 1, 2, 4)),
    "a device's of sixteen": ("nvidia", Code.NVIDIA_CHAIN, device, (0, *[3] * 14, 4)),
    "a device's whose middle changes places": ("nvidia", Code.X509_ISSUER, device, (0, 2, 1, 3, 4)),
    "a bundle whose middle changes places": ("nitro", Code.X509_BASIC_CONSTRAINTS, bundle, (0, 2, 1, 3)),
    "a bundle turned round": ("nitro", Code.X509_ROOT, bundle, (3, 2, 1, 0)),
    "a bundle of its root alone": ("nitro", Code.X509_ISSUER, bundle, (0,)),
    "a bundle without its root": ("nitro", Code.X509_ROOT, bundle, (1, 2, 3)),
    "a bundle with its root twice": ("nitro", Code.X509_REPEATED, bundle, (0, 0, 1, 2, 3)),
    "a bundle that goes up and down": ("nitro", Code.X509_REPEATED, bundle, (0, 1, 2, 1, 2, 3)),
    "a bundle of nine": ("nitro", Code.NITRO_DOCUMENT, bundle, (0, 1, 2, *[3] * 6)),
    "a bundle of forty": ("nitro", Code.NITRO_DOCUMENT, bundle, (0, 1, 2, *[3] * 37)),
    "a bundle of a thousand": ("nitro", Code.CBOR_TOO_LARGE, bundle, (0, 1, 2, *[3] * 1000)),
}


@pytest.mark.parametrize("what", ORDERED)
def test_a_chain_in_another_order_is_refused(what: str) -> None:
    name, code, make, places = ORDERED[what]
    with refused(code):
        accepted(name).verify(**make(*places))


# --- chains of Intel and AMD: names find, signatures decide -----------------------------------------------------------------------

PLATFORM = FalsePlatform(Kind.SGX, at=NOW, seed=SEED)
PCK, PCK_CA, INTEL_ROOT = PLATFORM.certificate, intel.ca_certificate(), intel.root().der


def quote(certification: bytes) -> dict[str, Any]:
    return {"evidence": {"quote": PLATFORM.quote(report_data=DATA, certification=(5, certification))}}


NAMED: Mapping[str, tuple[str, Code, Callable[[], dict[str, Any]]]] = {
    "a PCK that issued itself": ("sgx", Code.X509_MISSING, lambda: quote(pem(PLATFORM.pck(issuer=intel.name(intel.LEAF)), PCK_CA))),
    "a PCK CA that issued itself": (
        "sgx",
        Code.X509_ROOT,
        lambda: quote(pem(PCK, intel.ca_certificate(issuer=intel.name(intel.CAS["platform"]), key=intel.key_of("platform")))),
    ),
    "a PCK CA by the PCK": ("sgx", Code.X509_ROOT, lambda: quote(pem(PCK, intel.ca_certificate(issuer=intel.name(intel.LEAF))))),
    "two CAs of one name": ("sgx", Code.DCAP_SUBJECT, lambda: quote(pem(PCK, PCK_CA, intel.ca_certificate(serial=9)))),
    "the root alone": ("sgx", Code.X509_MISSING, lambda: quote(pem(INTEL_ROOT))),
    "seventeen": ("sgx", Code.X509_MALFORMED, lambda: quote(pem(*[PCK_CA] * 17))),
    "a thousand": ("sgx", Code.DCAP_SIZE, lambda: quote(pem(*[PCK_CA] * 1000))),
    "an ASK that issued itself": (
        "snp",
        Code.X509_MISSING,
        lambda: {"endorsements": {"ask": FalseAmd().issue_ask(issuer=name_of_amd("SEV-Milan"))}},
    ),
    "an ASK by the VCEK": (
        "snp",
        Code.X509_ROOT,
        lambda: {"endorsements": {"ask": FalseAmd().issue_ask(issuer=name_of_amd("SEV-VCEK"))}},
    ),
    "the VCEK as the ASK": (
        "snp",
        Code.X509_MISSING,
        lambda: {"endorsements": {"ask": accepted("snp").endorsements.items["vcek"]}},
    ),
    "the ARK as the ASK": ("snp", Code.X509_MISSING, lambda: {"endorsements": {"ask": FalseAmd().ark}}),
}


@pytest.mark.parametrize("what", NAMED)
def test_a_chain_whose_names_lead_nowhere_is_refused(what: str) -> None:
    name, code, make = NAMED[what]
    with refused(code):
        accepted(name).verify(**make())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sgx", quote(pem(INTEL_ROOT, PCK_CA, PCK))),
        ("sgx", quote(pem(PCK, PCK_CA, PCK, PCK_CA, INTEL_ROOT, INTEL_ROOT))),
        ("snp", {"endorsements": {"cert-chain": pem(FalseAmd().ark, FalseAmd().ask, FalseAmd().ask)}}),
        ("nvidia", device(0, 1, 2, 3)),
    ],
    ids=["Intel's turned round", "Intel's doubled", "AMD's doubled", "a device's without its root"],
)
def test_what_says_the_same_in_another_way_is_taken(name: str, given: dict[str, Any]) -> None:
    accepted(name).verify(**given)


def test_signers_of_manifests_are_not_repeated() -> None:
    signer, authority, root = rim_certificates(NOW)
    manifest = FalseGpu(at=NOW, seed=SEED).rim("driver", certificates=[signer, authority, root, root])
    with refused(Code.X509_REPEATED):
        accepted("nvidia").verify(endorsements={"rim-driver": manifest})
