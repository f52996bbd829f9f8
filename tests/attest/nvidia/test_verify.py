"""Is a device's report genuine? Each thing that lies is refused, by its own code."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA224, SHA256
from cryptography.x509 import ReasonFlags, ocsp
from tests.attest.nvidia.world import DAY, NONCE, NOW, genuine, gpu, verify
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence
from confide.attest.roots import VENDOR_ROOTS
from confide.attest.x509 import Revocation
from confide.codes import Code
from confide_sim import aws, der, intel, nvidia, nvidia_spdm, x509

OTHER = ec.derive_private_key(7, ec.SECP384R1())
P256 = ec.derive_private_key(7, ec.SECP256R1())
REVOKED = ocsp.OCSPCertStatus.REVOKED
ECDSA_SHA384, UNKNOWN_ALGORITHM = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x63"
SHA384, UNKNOWN_DIGEST = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", b"\x60\x86\x48\x01\x65\x03\x04\x02\x63"
UNKNOWN_KEY = der.seq(der.seq(der.oid("1.3.6.1.4.1.3704.99")), der.bits(b"\x00"))
HOLD = {"state": REVOKED, "reason": ReasonFlags.certificate_hold}


@pytest.mark.parametrize("architecture", ["GH100", "GB100", "LS_10"])
def test_a_genuine_report_gives_its_claims(architecture: str) -> None:
    found = genuine(architecture)
    assert (found.architecture, found.simulated, found.report_data) == (architecture, True, NONCE)
    assert found.vbios_version == nvidia.VBIOS
    assert found.driver_version == ("" if architecture == "LS_10" else nvidia.DRIVER)
    assert found.leaf_key_sha256 == gpu(architecture).leaf_key_sha256 == found.bound_key_sha256
    assert found.not_after == NOW + DAY, "OCSP responses end first"
    assert (found.manifest_failures, found.on_hold, found.is_switch) == ((), False, architecture == "LS_10")


def block(index: int, **lies: Any) -> list[bytes]:
    """All blocks, one of which lies."""
    values = gpu().measurements()
    return [nvidia_spdm.block(number, value, **(lies if number == index else {})) for number, value in values.items()]


MESSAGE: dict[str, dict[str, Any]] = {
    "another request version": {"request": {"version": 0x12}},
    "another request": {"request": {"code": 0xE1}},
    "one block asked for": {"request": {"operation": 1}},
    "no signature asked for": {"request": {"attributes": 0}},
    "another response version": {"response": {"version": 0x12}},
    "another response": {"response": {"code": 0x61}},
    "an error": {"response": {"code": 0x7F}},
    "a block more than there are": {"response": {"blocks": 65}},
    "a block less than there are": {"response": {"blocks": 63}},
    "a record beyond the end": {"response": {"length": 0xFFFFFF}},
    "a record cut short": {"response": {"length": 64 * 55 - 1}},
    "opaque data beyond the end": {"response": {"opaque": 4000}},
    "too much opaque data": {"response": {"opaque": 4097}},
    "a block of another specification": {"blocks": block(5, specification=2)},
    "a block of another size": {"blocks": block(5, size=50)},
    "a value of another size": {"blocks": block(5, value_size=47)},
    "a block twice": {"blocks": [*block(0)[:63], nvidia_spdm.block(1, bytes(48))]},
    "block 0": {"blocks": [*block(0)[:63], nvidia_spdm.block(0, bytes(48))]},
    "opaque data twice": {"data": nvidia_spdm.opaque({3: b"1"}) * 2},
    "opaque data cut short": {"data": b"\x03\x00\x09\x00a"},
    "two bytes behind the signature": {"behind": bytes(2)},
}


@pytest.mark.parametrize("name", MESSAGE)
def test_a_message_of_another_form_is_refused(name: str) -> None:
    with refused(Code.NVIDIA_SPDM):
        genuine(**MESSAGE[name])


def test_one_stray_byte_behind_the_signature_is_cut() -> None:
    assert genuine(behind=b"\x00").report_data == NONCE


def test_every_cut_and_every_oversize_is_refused() -> None:
    whole = gpu().report(nonce=NONCE)
    for data in (*(whole[:end] for end in range(0, len(whole), 61)), whole + bytes(1 << 16)):
        with refused(Code.NVIDIA_SPDM):
            verify(Evidence("nvidia", {"gpu-report": data}), gpu().endorsements())


SIGNATURES: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "SHA-256": {"digest": SHA256()},
    "another nonce": {"edited": lambda signed: signed[:4] + bytes(32) + signed[36:]},
    "another slot": {"edited": lambda signed: signed[:36] + b"\x01" + signed[37:]},
    "another measurement": {"edited": lambda signed: signed[:60] + bytes([signed[60] ^ 1]) + signed[61:]},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_report_that_the_leaf_did_not_sign_is_refused(name: str) -> None:
    with refused(Code.NVIDIA_SIGNATURE):
        genuine(**SIGNATURES[name])


def test_a_signature_of_zeros_is_refused() -> None:
    whole = gpu().report(nonce=NONCE)
    with refused(Code.NVIDIA_SIGNATURE):
        verify(Evidence("nvidia", {"gpu-report": whole[:-96] + bytes(96)}), gpu().endorsements())


CHAIN: dict[str, tuple[Code, dict[str, Any]]] = {
    "an identity that is no CA": (Code.X509_BASIC_CONSTRAINTS, {"identity": {"extensions": aws.end_entity()}}),
    "an identity that may not sign": (
        Code.X509_KEY_USAGE,
        {"identity": {"extensions": (x509.basic_constraints(ca=True), x509.key_usage(digital_signature=True))}},
    ),
    "an identity that allows no authority below": (Code.X509_BASIC_CONSTRAINTS, {"identity": {"extensions": aws.authority(0)}}),
    "a leaf that is a CA": (Code.X509_BASIC_CONSTRAINTS, {"leaf": {"extensions": aws.authority()}}),
    "another issuer": (Code.X509_ISSUER, {"provisioner": {"issuer": nvidia.name("somebody")}}),
    "another signer": (Code.X509_SIGNATURE, {"brom": {"key": OTHER}}),
    "a provisioner of P-256": (Code.X509_ISSUER_KEY, {"provisioner": {"public_key": x509.spki(P256)}}),
    "SHA-256": (Code.X509_SIGNATURE_ALGORITHM, {"brom": {"algorithm": aws.ecdsa("sha256")}}),
    "an identity that ended": (Code.X509_EXPIRED, {"identity": {"not_after": NOW - DAY}}),
    "a leaf of tomorrow": (Code.X509_NOT_YET_VALID, {"leaf": {"not_before": NOW + DAY}}),
    "a leaf with another key": (Code.NVIDIA_SIGNATURE, {"leaf": {"public_key": x509.spki(OTHER)}}),
    "a leaf with a key that nobody knows": (Code.NVIDIA_SIGNATURE, {"leaf": {"public_key": UNKNOWN_KEY}}),
    "a leaf with a key of P-256": (Code.NVIDIA_SIGNATURE, {"leaf": {"public_key": x509.spki(P256)}}),
}


@pytest.mark.parametrize(("code", "overrides"), CHAIN.values(), ids=CHAIN.keys())
def test_a_chain_that_lies_is_refused(code: Code, overrides: dict[str, Any]) -> None:
    revocation = {"revocation": Revocation(required=False)}  # responses are about the certificates as they should be
    with refused(code):
        genuine(endorsements={"cert_chain": gpu().chain(**overrides)}, arguments=revocation)


def test_order_and_completeness_of_the_chain_count() -> None:
    certificates = gpu().certificates()
    for wrong, code in (
        (certificates[::-1], Code.X509_ROOT),
        (certificates[:2], Code.X509_ROOT),
        ([certificates[0], *certificates[2:]], Code.X509_ISSUER),
        ([*certificates[:2], certificates[1], *certificates[2:]], Code.X509_REPEATED),
        ([*certificates[:1] * 4, *certificates[1:]], Code.NVIDIA_CHAIN),
    ):
        with refused(code):
            genuine(endorsements={"cert_chain": intel.pem(*wrong)})
    with refused(Code.X509_MISSING):
        genuine(endorsements={"cert_chain": None})


def test_the_root_may_be_left_out() -> None:
    assert genuine(endorsements={"cert_chain": intel.pem(*gpu().certificates()[:-1])}).simulated


def test_a_false_root_is_nobodys_and_the_root_of_manifests_vouches_for_no_device() -> None:
    with refused(Code.X509_ROOT):
        genuine(arguments={"roots": VENDOR_ROOTS})
    with refused(Code.X509_ROOT):
        genuine(arguments={"roots": nvidia.roots()[1:]})


FWIDS: dict[str, dict[str, Any]] = {
    "another in the report": {"opaque": {"fwid": bytes(48)}},
    "none in the report": {"opaque": {"fwid": None}},
}


@pytest.mark.parametrize("name", FWIDS)
def test_firmware_that_was_not_certified_is_refused(name: str) -> None:
    with refused(Code.NVIDIA_FWID):
        genuine(**FWIDS[name])


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        (nvidia.fwid_extension(bytes(48)),),
        (nvidia.fwid_extension(bytes(32)),),
        (der.extension(nvidia.TCB_INFO, b"\x30\x80\x00\x00"),),
    ],
    ids=["none", "another", "short", "broken"],
)
def test_a_leaf_that_certifies_other_firmware_is_refused(extensions: tuple[bytes, ...]) -> None:
    leaf = {"extensions": (x509.key_usage(digital_signature=True), *extensions)}
    with refused(Code.NVIDIA_FWID):
        genuine(endorsements={"cert_chain": gpu().chain(leaf=leaf)})


def test_a_lenient_record_goes_on_behind_a_firmware_that_only_one_side_names() -> None:
    checks = Checks(strict=False)
    with refused(Code.NVIDIA_FWID):
        genuine(**FWIDS["none in the report"], arguments={"checks": checks})
    assert [check.found for check in checks.done if not check.ok] == ["in the certificate alone"]


def test_a_switch_without_a_fwid_says_that_it_was_not_checked() -> None:
    checks = Checks()
    genuine("LS_10", arguments={"checks": checks})
    assert "FWID" in {each.what for each in checks.not_checked}


# --- OCSP -------------------------------------------------------------------------------------------------------------------------


def told(**overrides: Any) -> dict[str, bytes]:
    """Responses that lie, beside good ones for manifests."""
    return {"ocsp": gpu().ocsp(**overrides) + gpu().rim_ocsp()}


def flipped(response: bytes) -> bytes:
    return response[:-1] + bytes([response[-1] ^ 1])


def unused_bit() -> bytes:
    """The provisioner's status, its signature ending in a zero bit that is said to be unused (X.690 section 11.2.1)."""
    whole = next(made for made in (gpu().ocsp(which=(2,)) for _ in range(64)) if not made[-1] & 1)
    at = whole.index(ocsp.load_der_ocsp_response(whole).signature) - 1
    return whole[:at] + b"\x01" + whole[at + 1 :]


def by(*, state: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD, **overrides: Any) -> bytes:
    """The provisioner's status, by a responder of the identity CA."""
    return gpu().ocsp(which=(2,), state=state, responder=nvidia.responder("responder", **overrides))


def beside(response: bytes) -> dict[str, bytes]:
    """Good statuses of all but the provisioner."""
    return {"ocsp": gpu().ocsp(which=(1, 3)) + response + gpu().rim_ocsp()}


SIGNS_OCSP = der.extension("2.5.29.37", der.seq(der.oid("1.3.6.1.5.5.7.3.9")))
RESPONDERS: dict[str, dict[str, Any]] = {
    "by a responder for other purposes": {"extended": False},
    "by a responder that somebody certified": {"key": OTHER},
    "by a responder of another issuer": {"issuer": nvidia.name("somebody")},
    "by a responder certified with SHA-256": {"algorithm": aws.ecdsa("sha256")},
    "by a responder that is an authority": {"extensions": (*aws.authority(), SIGNS_OCSP)},
    "by a responder that may not sign": {"extensions": (x509.key_usage(cert_sign=True), SIGNS_OCSP)},
    "by a responder with an unknown critical extension": {
        "extensions": (*aws.end_entity(), SIGNS_OCSP, der.extension("1.2.3.4", der.null(), critical=True))
    },
}
STATUSES: dict[str, tuple[Code, dict[str, Any]]] = {
    "revoked": (Code.NVIDIA_REVOKED, told(state=REVOKED)),
    "revoked for a reason": (Code.NVIDIA_REVOKED, told(state=REVOKED, reason=ReasonFlags.key_compromise)),
    "one of three revoked": (
        Code.NVIDIA_REVOKED,
        {"ocsp": gpu().ocsp(which=(1, 2)) + gpu().ocsp(which=(3,), state=REVOKED) + gpu().rim_ocsp()},
    ),
    "revoked in an old response": (
        Code.NVIDIA_REVOKED,
        {
            "ocsp": told()["ocsp"]
            + gpu().ocsp(state=REVOKED, this_update=NOW - 9 * DAY, next_update=NOW - 8 * DAY, revoked_at=NOW - 10 * DAY)
        },
    ),
    "unknown": (Code.NVIDIA_OCSP_STALE, told(state=ocsp.OCSPCertStatus.UNKNOWN)),
    "yesterday's": (Code.NVIDIA_OCSP_STALE, told(this_update=NOW - 3 * DAY, next_update=NOW - DAY)),
    "tomorrow's": (Code.NVIDIA_OCSP_STALE, told(this_update=NOW + DAY, next_update=NOW + 2 * DAY)),
    "one that is missing": (Code.NVIDIA_OCSP, told(which=(1, 3))),
    "with another signature": (
        Code.NVIDIA_OCSP,
        beside(flipped(gpu().ocsp(which=(2,)))),
    ),
    "with unused bits in a signature": (Code.NVIDIA_OCSP, beside(unused_bit())),
    **{name: (Code.NVIDIA_OCSP, beside(by(**lie))) for name, lie in RESPONDERS.items()},
    "by a responder whose certificate ended": (Code.NVIDIA_OCSP_STALE, beside(by(not_after=NOW - DAY))),
    "by a responder of tomorrow": (Code.NVIDIA_OCSP_STALE, beside(by(not_before=NOW + DAY))),
    "revoked, by a responder whose certificate ended": (Code.NVIDIA_REVOKED, beside(by(not_after=NOW - DAY, state=REVOKED))),
    "none": (Code.NVIDIA_OCSP, {"ocsp": None}),
    "garbage": (Code.NVIDIA_OCSP, {"ocsp": b"garbage"}),
    "cut short": (Code.NVIDIA_OCSP, {"ocsp": gpu().ocsp()[:-1]}),
    "a signature algorithm nobody knows": (Code.NVIDIA_OCSP, {"ocsp": gpu().ocsp().replace(ECDSA_SHA384, UNKNOWN_ALGORITHM)}),
    "a digest nobody knows": (Code.NVIDIA_OCSP, {"ocsp": gpu().ocsp().replace(SHA384, UNKNOWN_DIGEST)}),
    "signed over a short digest": (Code.NVIDIA_OCSP, told(digest=SHA224())),
    "no response in DER": (Code.NVIDIA_OCSP, {"ocsp": b"\x30\x82\x00\x04abcd"}),
    "too large": (Code.NVIDIA_OCSP, {"ocsp": bytes((256 << 10) + 1)}),
    "too many": (Code.NVIDIA_OCSP, {"ocsp": gpu().ocsp(which=(1,)) * 33}),
}


@pytest.mark.parametrize(("code", "endorsements"), STATUSES.values(), ids=STATUSES.keys())
def test_a_status_that_does_not_say_good_now_is_refused(code: Code, endorsements: dict[str, Any]) -> None:
    with refused(code):
        genuine(endorsements=endorsements)


def test_an_age_that_the_caller_wants_counts_for_statuses_too() -> None:
    with refused(Code.NVIDIA_OCSP_STALE):
        genuine(arguments={"revocation": Revocation(max_age=DAY / 2)})
    assert genuine(arguments={"revocation": Revocation(max_age=2 * DAY)}).simulated


def test_a_responder_that_the_issuer_certified_may_answer() -> None:
    assert genuine(endorsements=beside(by())).not_after == NOW + DAY
    soon = timedelta(hours=1)
    assert genuine(endorsements=beside(by(not_after=NOW + soon))).not_after == NOW + soon


def test_responses_may_come_as_lines_of_base_64() -> None:
    import base64  # noqa: PLC0415 - only here

    lines = b"\n".join(base64.b64encode(gpu().ocsp(which=(place,))) for place in (1, 2, 3))
    found = genuine(endorsements={"ocsp": lines}, arguments={"revocation": Revocation(required=False)})
    assert found.not_after == NOW + DAY


def test_a_hold_is_told_and_left_to_the_policy() -> None:
    assert genuine(endorsements=told(**HOLD)).on_hold
    ended = told(**HOLD, revoked_at=NOW + DAY)
    with refused(Code.NVIDIA_OCSP_STALE):  # a revocation of tomorrow says nothing good about today either
        genuine(endorsements=ended)


def test_without_statuses_that_are_not_required_it_is_said_that_nothing_was_checked() -> None:
    checks = Checks()
    found = genuine(endorsements={"ocsp": None}, arguments={"revocation": Revocation(required=False), "checks": checks})
    assert sum("revocation" in each.what for each in checks.not_checked) == 3 + 4
    assert found.not_after == NOW + 300 * DAY


def test_no_report_is_told() -> None:
    with refused(Code.EVIDENCE_MISSING):
        verify(Evidence("nvidia", {}), Endorsements({}))
