"""NVIDIA's manifests: which are believed, and what they say about a device's firmware."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ReasonFlags, ocsp
from tests.attest.nvidia.world import DAY, NOW, genuine, gpu, judge
from tests.support import refused

from confide.attest.constraints import Ignored
from confide.attest.nvidia.spdm import Opaque
from confide.codes import Code
from confide_sim import aws, der, nvidia, nvidia_rim, x509

SKIP = Ignored.UNSAFE_IGNORED
P256 = ec.derive_private_key(7, ec.SECP256R1())
UNKNOWN_KEY = der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00"))
OTHER = ec.derive_private_key(7, ec.SECP384R1())
REVOKED = ocsp.OCSPCertStatus.REVOKED


def rim(**overrides: Any) -> dict[str, Any]:
    """Endorsements with a driver manifest that lies."""
    return {"endorsements": {"rim_driver": gpu().rim("driver", **overrides)}}


def edited(old: str, new: str) -> dict[str, Any]:
    """One whose text was changed after it was signed."""
    whole = gpu().rim("driver")
    assert old.encode() in whole
    return {"endorsements": {"rim_driver": whole.replace(old.encode(), new.encode())}}


def wrapped(inner: bytes) -> bytes:
    """A signed document inside another one: signature wrapping."""
    head, tail = nvidia_rim.body("1.0", "GH100", [])
    return (head + inner.decode() + tail).encode()


def other_form() -> dict[str, Any]:
    """A signed document that is no manifest."""
    pieces, certificates = (f'<a xmlns:SHA384="{nvidia_rim.SHA384}">', "</a>"), nvidia.rim_certificates(NOW)
    sign = nvidia.key_of("rim")
    whole = nvidia_rim.signed(pieces, sign=lambda data: nvidia.raw_signature(sign, data), certificates=certificates)
    return {"endorsements": {"rim_driver": whole}}


def holding(resources: str) -> dict[str, Any]:
    """A manifest, signed as it should be, that holds something else."""
    pieces, certificates = nvidia_rim.body(nvidia.DRIVER, "GH100", [resources]), nvidia.rim_certificates(NOW)
    sign = nvidia.key_of("rim")
    whole = nvidia_rim.signed(pieces, sign=lambda data: nvidia.raw_signature(sign, data), certificates=certificates)
    return {"endorsements": {"rim_driver": whole}}


SPACED = ('xml-c14n-20010315"></CanonicalizationMethod>', 'xml-c14n-20010315"></CanonicalizationMethod> ')
OWN = [nvidia.issue("own", "own", "own", signer="own")]
FAILURES: dict[str, tuple[Code, dict[str, Any]]] = {
    "another digest": (Code.NVIDIA_RIM_SIGNATURE, edited('tagId="simulated"', 'tagId="somebody"')),
    "a golden value edited": (Code.NVIDIA_RIM_SIGNATURE, edited('SHA384:Hash0="0a', 'SHA384:Hash0="0b')),
    "another signed info": (Code.NVIDIA_RIM_SIGNATURE, edited(*SPACED)),
    "another key": (Code.NVIDIA_RIM_SIGNATURE, rim(key=OTHER)),
    "no signature": (Code.NVIDIA_XML, edited("Signature", "Signed")),
    "another algorithm": (Code.NVIDIA_XML, edited(nvidia_rim.ECDSA, nvidia_rim.ECDSA.replace("384", "256"))),
    "another digest algorithm": (Code.NVIDIA_XML, edited(nvidia_rim.DIGEST, nvidia_rim.DIGEST.replace("384", "256"))),
    "a part of the document": (Code.NVIDIA_XML, edited('URI=""', 'URI="#x"')),
    "exclusive canonical form": (Code.NVIDIA_XML, edited(nvidia_rim.C14N, "http://www.w3.org/2001/10/xml-exc-c14n#")),
    "a transform more": (Code.NVIDIA_XML, edited("</Transforms>", "<Transform></Transform></Transforms>")),
    "no certificates": (Code.NVIDIA_XML, rim(certificates=[])),
    "a document type": (Code.NVIDIA_XML, rim(edited=lambda whole: b"<!DOCTYPE x>" + whole)),
    "a comment is nothing": (Code.NVIDIA_XML, rim(edited=lambda whole: whole + b"<x/>")),
    "a document around the signed one": (Code.NVIDIA_XML, rim(edited=wrapped)),
    "a signer that ended": (Code.X509_EXPIRED, rim(leaf={"not_after": NOW - DAY})),
    "a signer of tomorrow": (Code.X509_NOT_YET_VALID, rim(leaf={"not_before": NOW + DAY})),
    "a signer that is a CA": (Code.X509_BASIC_CONSTRAINTS, rim(leaf={"extensions": aws.authority()})),
    "a signer that somebody signed": (Code.X509_SIGNATURE, rim(leaf={"key": OTHER})),
    "a signer under the devices' root": (Code.X509_ROOT, rim(certificates=gpu().certificates())),
    "a signer that signs itself": (Code.X509_ROOT, rim(certificates=OWN, key=nvidia.key_of("own"))),
    "another form": (Code.NVIDIA_RIM, other_form()),
    "a file among measurements": (Code.NVIDIA_RIM, holding('<File name="x"></File>')),
    "a resource of another type": (Code.NVIDIA_RIM, holding('<Resource index="1" type="Software"></Resource>')),
    "a measurement without a type": (Code.NVIDIA_RIM, holding('<Resource index="1"></Resource>')),
    "a measurement twice": (Code.NVIDIA_RIM, holding(nvidia_rim.resource(1, [bytes(48)]) * 2)),
    "a measurement of a negative index": (Code.NVIDIA_RIM, holding(nvidia_rim.resource(-1, [bytes(48)]))),
    "a signature with an object": (Code.NVIDIA_XML, edited("<KeyInfo>", "<Object></Object><KeyInfo>")),
    "a signature without a key": (Code.NVIDIA_XML, edited("KeyInfo>", "Object>")),
    "a signature in its own certificate": (Code.NVIDIA_XML, edited("<X509Data>", "<X509Data><Signature></Signature>")),
    "a signature that is no base 64": (Code.NVIDIA_XML, edited("<SignatureValue>", "<SignatureValue>*")),
    "a signer whose key nobody knows": (Code.NVIDIA_RIM_SIGNATURE, rim(leaf={"public_key": UNKNOWN_KEY})),
    "a signer whose key is of P-256": (Code.NVIDIA_RIM_SIGNATURE, rim(leaf={"public_key": x509.spki(P256)})),
    "a digest of 32 bytes": (Code.NVIDIA_RIM, rim(golden={7: [bytes(32)]})),
    "an index beyond bounds": (Code.NVIDIA_RIM, rim(golden={10000: [bytes(48)]})),
    "too many alternatives": (Code.NVIDIA_RIM, rim(golden={7: [bytes(48)] * 33})),
    "no alternative": (Code.NVIDIA_RIM, rim(golden={7: []})),
}


@pytest.mark.parametrize(("code", "overrides"), FAILURES.values(), ids=FAILURES.keys())
def test_a_manifest_that_is_not_nvidias_leaves_the_report_genuine_and_the_device_refused(
    code: Code, overrides: dict[str, Any]
) -> None:
    found = genuine(**overrides)
    assert [each.code for each in found.manifest_failures] == [code]
    with refused(code):
        judge(found)


STATUSES: dict[str, tuple[Code, bytes]] = {
    "a revoked signer": (Code.NVIDIA_REVOKED, gpu().rim_ocsp(state=REVOKED)),
    "a signer on hold": (Code.NVIDIA_HOLD, gpu().rim_ocsp(state=REVOKED, reason=ReasonFlags.certificate_hold)),
    "a signer nobody speaks of": (Code.NVIDIA_OCSP, b""),
    "yesterday's word on a signer": (Code.NVIDIA_OCSP_STALE, gpu().rim_ocsp(this_update=NOW - 3 * DAY, next_update=NOW - DAY)),
}


@pytest.mark.parametrize(("code", "responses"), STATUSES.values(), ids=STATUSES.keys())
def test_the_signers_of_manifests_are_asked_about_too(code: Code, responses: bytes) -> None:
    found = genuine(endorsements={"ocsp": gpu().ocsp() + responses})
    assert {each.code for each in found.manifest_failures} == {code}
    with refused(code):
        judge(found)


def test_a_device_as_nvidia_knows_it_is_accepted() -> None:
    for architecture in ("GH100", "GB100", "LS_10"):
        checks = judge(genuine(architecture))
        assert "confidential mode and development tools" in {each.what for each in checks.not_checked}


def test_an_alternative_value_fits() -> None:
    judge(genuine(**rim(golden={7: [b"\x01" * 48, gpu().measurements()[8]]})))


MEASURED: dict[str, dict[str, Any]] = {
    "another driver": {"measurements": {8: bytes(48)}},
    "another VBIOS": {"measurements": {1: bytes(48)}},
    "a block less": {"measurements": {}, "blocks": None},
    "an index in both manifests": {"endorsements": {"rim_driver": gpu().rim("driver", golden={0: [gpu().measurements()[1]]})}},
    "an index that the device does not measure": {"endorsements": {"rim_driver": gpu().rim("driver", golden={90: [bytes(48)]})}},
}


@pytest.mark.parametrize("name", [name for name in MEASURED if name != "a block less"])
def test_firmware_that_nvidia_does_not_know_is_refused(name: str) -> None:
    with refused(Code.NVIDIA_MEASUREMENT):
        judge(genuine(**MEASURED[name]))


def test_an_inactive_value_is_not_compared() -> None:
    judge(genuine(**rim(golden={7: [bytes(48)]}, inactive=frozenset({7}))))


@pytest.mark.parametrize("what", ["driver", "vbios"])
def test_a_manifest_that_compares_nothing_is_refused(what: str) -> None:
    every = frozenset(gpu().golden(what))
    with refused(Code.NVIDIA_RIM):
        judge(genuine(endorsements={f"rim_{what}": gpu().rim(what, inactive=every)}))
    judge(genuine(endorsements={f"rim_{what}": gpu().rim(what, inactive=every - {min(every)})}))


def test_nvdec0_is_left_out_while_the_device_says_that_it_is_off() -> None:
    other: dict[str, Any] = {"measurements": {36: bytes(48)}}
    assert "measurement 35" in {each.what for each in judge(genuine(**other)).not_checked}
    for status in (b"\xaa", None):
        with refused(Code.NVIDIA_MEASUREMENT):
            judge(genuine(**other, opaque={"nvdec0_status": status}))


def test_nvdec0_is_left_out_of_the_drivers_manifest_only() -> None:
    drivers = gpu().rim("driver", inactive=frozenset({35}))
    own = gpu().rim("vbios", golden={35: [gpu().measurements()[36]]})
    both: dict[str, Any] = {"rim_driver": drivers, "rim_vbios": own}
    judge(genuine(endorsements=both))
    with refused(Code.NVIDIA_MEASUREMENT):
        judge(genuine(endorsements=both, measurements={36: bytes(48)}))


VERSIONS: dict[str, dict[str, Any]] = {
    "a manifest of another driver": rim(version="570.124.07"),
    "a manifest of another VBIOS": {"endorsements": {"rim_vbios": gpu().rim("vbios", version="96.00.A5.00.02")}},
    "a device with another driver": {"opaque": {"driver_version": b"570.124.07\x00"}},
    "a device that does not say its driver": {"opaque": {"driver_version": None}},
    "a device with another VBIOS": {"opaque": {"vbios_version": bytes(8)}},
}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_manifest_of_another_version_is_refused(name: str) -> None:
    with refused(Code.NVIDIA_RIM_VERSION):
        judge(genuine(**VERSIONS[name]))


@pytest.mark.parametrize("role", ["rim_driver", "rim_vbios"])
def test_a_missing_manifest_is_refused_unless_a_policy_says_so_by_name(role: str) -> None:
    found = genuine(endorsements={role: None})
    with refused(Code.NVIDIA_RIM_MISSING):
        judge(found)
    checks = judge(found, allow_missing_manifests=SKIP)
    assert [each.setting for each in checks.relaxations] == ["allow_missing_manifests"]


def test_a_device_on_hold_is_refused_unless_a_policy_says_so_by_name() -> None:
    found = genuine(endorsements={"ocsp": gpu().ocsp(state=REVOKED, reason=ReasonFlags.certificate_hold) + gpu().rim_ocsp()})
    with refused(Code.NVIDIA_HOLD):
        judge(found)
    assert [each.setting for each in judge(found, allow_hold=SKIP).relaxations] == ["allow_hold"]


LISTED: dict[str, tuple[Code, dict[str, Any]]] = {
    "architecture": (Code.NVIDIA_ARCHITECTURE, {"architectures": ("GB100",)}),
    "driver": (Code.NVIDIA_DRIVER, {"driver_versions": ("1.0",)}),
    "VBIOS": (Code.NVIDIA_VBIOS, {"vbios_versions": ("1.0",)}),
    "device": (Code.NVIDIA_DEVICE, {"devices": (bytes(32),)}),
    "protected PCIe": (Code.NVIDIA_MODE, {"protected_pcie": True}),
}


@pytest.mark.parametrize(("code", "constraints"), LISTED.values(), ids=LISTED.keys())
def test_what_a_policy_does_not_list_is_refused(code: Code, constraints: dict[str, Any]) -> None:
    with refused(code):
        judge(genuine(), **constraints)


def test_what_a_policy_lists_is_accepted() -> None:
    wanted: dict[str, Any] = {
        "architectures": ("GB100", "GH100"),
        "driver_versions": (nvidia.DRIVER,),
        "vbios_versions": (nvidia.VBIOS,),
        "devices": (gpu().leaf_key_sha256,),
        "protected_pcie": False,
    }
    judge(genuine(), **wanted)
    assert Opaque.PROTECTED_PCIE_STATUS in genuine().measurements_report.opaque


def test_several_gpus_as_one_are_told_by_the_device() -> None:
    found = genuine(opaque={"feature_flag": b"\x01"})
    judge(found, protected_pcie=True)
    with refused(Code.NVIDIA_MODE):
        judge(found, protected_pcie=False)


def test_spki_of_the_signer_is_what_is_named() -> None:
    assert len(x509.spki(gpu().key)) > 100
