"""What hangs on two things at once: firmware that both sides name, statuses of several certificates, roots of several kinds."""

from typing import Any

import pytest
from cryptography.x509 import ReasonFlags, ocsp
from tests.attest.nvidia.world import DAY, NOW, genuine, gpu
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.evidence import Kind, Root
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide_sim import der, intel, nvidia, nvidia_spdm, x509

HOLD: dict[str, Any] = {"state": ocsp.OCSPCertStatus.REVOKED, "reason": ReasonFlags.certificate_hold}
OPTIONAL = {"revocation": Revocation(required=False)}
USAGE = x509.key_usage(digital_signature=True)


# --- FWID: TCG DICE Attestation Architecture, section 6.1.1 -----------------------------------------------------------------------


def leaf(*extensions: bytes) -> dict[str, Any]:
    return {"endorsements": {"cert_chain": gpu().chain(leaf={"extensions": (USAGE, *extensions)})}}


def skipped(architecture: str = "GH100", **given: Any) -> bool:
    checks = Checks()
    genuine(architecture, arguments={"checks": checks}, **given)
    return "FWID" in {each.what for each in checks.not_checked}


def test_a_gpu_that_names_no_firmware_anywhere_says_that_it_was_not_checked() -> None:
    assert skipped(**leaf(), opaque={"fwid": None})
    assert not skipped()


def test_a_switch_that_names_its_firmware_in_one_place_says_that_it_was_not_checked() -> None:
    data = nvidia_spdm.opaque({nvidia_spdm.OPAQUE["vbios_version"]: nvidia.VBIOS.encode(), 20: nvidia.FWID})
    assert skipped("LS_10", data=data)


def other(name: str) -> bytes:
    """The same digests under another name."""
    return der.extension(name, der.seq(der.tlv(0xA6, der.seq(der.oid("2.16.840.1.101.3.4.2.2"), der.octets(nvidia.FWID)))))


def within(content: bytes) -> bytes:
    """DiceTcbInfo that holds something."""
    return der.extension(nvidia.TCB_INFO, der.seq(content))


CERTIFIED: dict[str, tuple[bytes, ...]] = {
    "in an extension of somebody's": (other("1.3.6.1.4.1.3704.97"),),
    "as an integer": (within(der.tlv(0x02, nvidia.FWID)),),
    "as a text": (within(der.tlv(0x0C, nvidia.FWID)),),
    "with a byte more": (within(der.octets(nvidia.FWID + b"\x00")),),
    "with a byte less": (within(der.octets(nvidia.FWID[:-1])),),
    "of another firmware": (nvidia.fwid_extension(bytes(48)),),
}


@pytest.mark.parametrize("what", CERTIFIED)
def test_firmware_that_the_certificate_names_otherwise_is_not_named(what: str) -> None:
    with refused(Code.NVIDIA_FWID):
        genuine(**leaf(*CERTIFIED[what]))


def test_one_of_several_digests_fits() -> None:
    assert not skipped(**leaf(nvidia.fwid_extension(bytes(48), nvidia.FWID)))


# --- statuses ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [1, 2, 3])
def test_a_hold_on_any_certificate_is_a_hold(held: int) -> None:
    others = tuple(place for place in (1, 2, 3) if place != held)
    responses = gpu().ocsp(which=(held,), **HOLD) + gpu().ocsp(which=others) + gpu().rim_ocsp()
    assert genuine(endorsements={"ocsp": responses}).on_hold
    assert not genuine().on_hold


def test_a_hold_is_not_taken_back_by_a_good_word_beside_it() -> None:
    assert genuine(endorsements={"ocsp": gpu().ocsp(**HOLD) + gpu().ocsp() + gpu().rim_ocsp()}).on_hold
    assert genuine(endorsements={"ocsp": gpu().ocsp() + gpu().ocsp(**HOLD) + gpu().rim_ocsp()}).on_hold


def test_a_revocation_that_is_yet_to_come_says_nothing_good() -> None:
    tomorrow = gpu().ocsp(state=ocsp.OCSPCertStatus.REVOKED, revoked_at=NOW + DAY)
    with refused(Code.NVIDIA_OCSP_STALE):
        genuine(endorsements={"ocsp": tomorrow + gpu().rim_ocsp()})
    assert not genuine(endorsements={"ocsp": tomorrow + gpu().ocsp() + gpu().rim_ocsp()}).on_hold


def test_statuses_that_are_not_wanted_still_revoke() -> None:
    revoked = gpu().ocsp(state=ocsp.OCSPCertStatus.REVOKED)
    with refused(Code.NVIDIA_REVOKED):
        genuine(endorsements={"ocsp": revoked}, arguments=OPTIONAL)


# --- roots ------------------------------------------------------------------------------------------------------------------------


def test_a_device_under_the_root_of_manifests_is_nobodys() -> None:
    """Both roots are pinned and genuine: each vouches for its own."""
    identity = {"key": nvidia.key_of(nvidia.MANIFESTS), "issuer": nvidia.name(nvidia.MANIFESTS)}
    certificates = [*gpu().certificates(identity=identity)[:-1], nvidia.root_certificate(nvidia.MANIFESTS)]
    for chain in (certificates, certificates[:-1]):
        with refused(Code.X509_ROOT):
            genuine(endorsements={"cert_chain": intel.pem(*chain)}, arguments=OPTIONAL)


def test_a_root_that_is_pinned_for_another_kind_vouches_for_no_device() -> None:
    borrowed = Root(Kind.NITRO, "AWS", nvidia.root_certificate(), simulated=True)
    with refused(Code.X509_ROOT):
        genuine(arguments={"roots": (borrowed, nvidia.roots()[1])})


def test_manifests_under_the_root_of_devices_are_nobodys() -> None:
    signer, _, _ = nvidia.rim_certificates(NOW)
    name = "NVIDIA Reference Value L3 GH100 001"
    authority = nvidia.issue("rim-ca", nvidia.DEVICES, name, signer=nvidia.DEVICES)
    chains = ([signer, authority, nvidia.root_certificate()], [signer, authority])
    for certificates in chains:
        found = genuine(endorsements={"rim_driver": gpu().rim("driver", certificates=certificates)})
        assert [each.code for each in found.manifest_failures] == [Code.X509_ROOT]


def test_the_root_of_manifests_pinned_for_another_kind_vouches_for_none() -> None:
    borrowed = Root(Kind.SGX, f"SIMULATED {nvidia.MANIFESTS}", nvidia.root_certificate(nvidia.MANIFESTS), simulated=True)
    found = genuine(arguments={"roots": (nvidia.roots()[0], borrowed)})
    assert [each.code for each in found.manifest_failures] == [Code.X509_ROOT] * 2
