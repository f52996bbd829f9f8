"""The false AMD: constants, names that say SIMULATED, and every field overridable one at a time."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509 as referee
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support import ROOT

import confide_sim
from confide.attest.evidence import Kind
from confide.attest.roots import AMD_ROOTS
from confide.attest.snp.layout import Product, SigningKey
from confide.attest.x509 import load_certificate, load_crls
from confide_sim import der, report, x509
from confide_sim.amd import FalseAmd, FalseChip, name
from confide_sim.keys import false_amd_certificate, false_amd_key

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_simulated_roots_say_so_and_are_not_amds() -> None:
    roots = [root for root in confide_sim.roots() if root.kind is Kind.SNP]
    assert len(roots) == 3
    for root in roots:
        assert root.simulated
        assert "SIMULATED" in root.name
        assert "SIMULATED - NOT Advanced Micro Devices" in load_certificate(root.der).subject.rfc4514_string()
    assert not {root.der for root in roots} & {root.der for root in AMD_ROOTS}


def test_every_certificate_of_the_false_vendor_says_simulated() -> None:
    chip = FalseChip(at=NOW)
    for data in (chip.certificate, chip.amd.ask, chip.amd.asvk, chip.amd.ark, chip.amd.issue_asvk()):
        certificate = load_certificate(data)
        assert "SIMULATED" in certificate.subject.rfc4514_string()
        assert "SIMULATED" in certificate.issuer.rfc4514_string()
    assert load_crls(chip.amd.crl(at=NOW))[0].issuer == load_certificate(chip.amd.ark).subject
    assert "SIMULATED" in repr(chip)


def test_the_assets_fit_each_other() -> None:
    done = subprocess.run([sys.executable, "sim/make_assets.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "9 certificates" in done.stdout


def test_the_simulated_root_is_a_constant_and_not_remade() -> None:
    amd = FalseAmd()
    assert amd.ark == false_amd_certificate("ark_milan")
    assert amd.issue_ark() != amd.ark, "RSASSA-PSS is randomised: the asset is the constant"
    assert load_certificate(amd.issue_ark()).subject == load_certificate(amd.ark).subject


def test_an_asset_that_is_no_rsa_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confide_sim.keys.load_pem_private_key", lambda *_, **__: ec.generate_private_key(ec.SECP384R1()))
    false_amd_key.cache_clear()
    with pytest.raises(TypeError):
        false_amd_key("ark_milan")
    monkeypatch.undo()
    false_amd_key.cache_clear()


def test_keys_sign_only_with_their_own_algorithm() -> None:
    chip = FalseChip(at=NOW)
    with pytest.raises(TypeError):
        chip.issue(key=chip.key)
    with pytest.raises(TypeError):
        chip.issue(algorithm=x509.ecdsa())
    assert chip.issue(algorithm=x509.ecdsa(), key=chip.key)


def test_a_field_takes_exactly_its_size() -> None:
    with pytest.raises(ValueError, match="takes 48 bytes"):
        report.encode({"measurement": bytes(47)})
    with pytest.raises(KeyError):
        report.encode({"no_such_field": 1})


@pytest.mark.parametrize("product", list(Product))
def test_a_chip_on_turin_has_eight_bytes_of_id(product: Product) -> None:
    chip = FalseChip(product, at=NOW)
    assert any(chip.chip_id[8:]) == (product is not Product.TURIN)


def test_a_chip_without_a_clock_is_certified_now() -> None:
    certificate = load_certificate(FalseChip(signing_key=SigningKey.VLEK).certificate)
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc


def test_lists_carry_serial_numbers_entries_and_no_more() -> None:
    amd = FalseAmd(Product.TURIN)
    plain, revoking = load_crls(amd.crl(at=NOW))[0], load_crls(amd.crl(at=NOW, revoked=(amd.serial_number("ask"), 300)))[0]
    assert len(plain) == 0
    assert [entry.serial_number for entry in revoking] == [0x30001, 300]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 1 << 160])
def test_integers_are_written_as_der(value: int) -> None:
    builder = der.integer(value)
    assert int.from_bytes(builder[2:], "big") == value
    assert builder[2] < 0x80
    assert len(builder) == 3 or builder[2] or builder[3] >= 0x80


@pytest.mark.parametrize("dotted", ["1.3.6.1.4.1.3704.1.3.8", "2.5.4.3", "2.16.840.1.101.3.4.2.2", "2.999.1234567890"])
def test_object_identifiers_are_written_as_der(dotted: str) -> None:
    attribute = referee.Name([referee.NameAttribute(referee.ObjectIdentifier(dotted), "x")]).public_bytes()
    assert der.oid(dotted) in attribute


def test_long_values_and_years_after_2049_are_written_as_der() -> None:
    assert der.octets(bytes(300))[:4] == b"\x04\x82\x01\x2c"
    assert der.time(datetime(2050, 1, 1, tzinfo=UTC)) == b"\x18\x0f20500101000000Z"
    assert der.time(datetime(2049, 12, 31, tzinfo=UTC)) == b"\x17\x0d491231000000Z"


def test_key_usage_and_names_read_back() -> None:
    amd = FalseAmd()
    extensions = (x509.key_usage(crl_sign=True), x509.basic_constraints(ca=False), der.extension("1.2.3", der.null()))
    certificate = load_certificate(amd.issue_ask(extensions=extensions, subject=name("x")))
    usage = certificate.extensions.get_extension_for_class(referee.KeyUsage).value
    assert (usage.crl_sign, usage.key_cert_sign, usage.digital_signature) == (True, False, False)
    assert x509.key_usage() == der.extension(x509.KEY_USAGE, b"\x03\x01\x00", critical=True)
    assert amd.serial_number("ark") == 0x10000
