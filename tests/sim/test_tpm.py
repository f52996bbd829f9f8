"""The false clouds and Azure machines say what they are, and nobody pins them who did not ask for it."""

import pytest
from tests.attest.azure.world import vm
from tests.attest.tpm.world import EXTRA, NOW, tpm

import confide_sim
from confide.attest.evidence import Kind
from confide.attest.roots import TPM_ROOTS, VENDOR_ROOTS
from confide.attest.tpm.quote import parse_attest, parse_pcrs
from confide.attest.x509 import load_certificate, load_crls
from confide_sim.tpm import CLOUDS, FalseCloud

EACH = pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.label)


@EACH
def test_every_certificate_and_list_of_a_false_cloud_says_simulated(cloud: FalseCloud) -> None:
    for data in (cloud.root, cloud.signer, cloud.issue_root(), cloud.issue_signer(), tpm(cloud).certificate):
        certificate = load_certificate(data)
        assert "SIMULATED" in certificate.issuer.rfc4514_string()
    assert "SIMULATED" in load_crls(cloud.crl(at=NOW))[0].issuer.rfc4514_string()


@EACH
def test_a_false_root_is_marked_and_not_a_clouds_own(cloud: FalseCloud) -> None:
    assert cloud.pinned in confide_sim.roots()
    assert (cloud.pinned.kind, cloud.pinned.simulated) == (Kind.TPM, True)
    assert cloud.root not in {root.der for root in VENDOR_ROOTS}
    assert not any(root.simulated for root in TPM_ROOTS)


@EACH
def test_constants_are_what_the_maker_makes(cloud: FalseCloud) -> None:
    assert (cloud.root, cloud.signer) == (cloud.issue_root(), cloud.issue_signer())  # PKCS #1 v1.5 signs the same twice


def test_reprs_show_no_keys() -> None:
    assert repr(tpm()) == "FalseTpm(SIMULATED google)"
    assert repr(vm()) == "FalseVm(SIMULATED)"


def test_a_quote_is_about_the_boot_that_the_log_tells() -> None:
    items = tpm().items(extra_data=EXTRA)
    assert parse_attest(items["attest"]).extra_data == EXTRA
    assert dict(parse_pcrs(items["pcrs"])) == tpm().pcrs()
    assert tpm().pcrs()[17] == b"\xff" * 32
