"""AMD's service: the right questions for each product, and answers that the real verifier takes."""

import dataclasses
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from tests.collateral.doubles import Said, Service, serving
from tests.support import refused

import confide_sim
from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Evidence
from confide.attest.snp.layout import Product, Report, SigningKey, parse_report
from confide.codes import Code
from confide.collateral.amd import fetch_amd
from confide.collateral.collect import Collector
from confide.collateral.fetch import HttpFetcher
from confide.collateral.services import Services
from confide_sim.amd import FalseChip

HTTP = HttpFetcher(pause=lambda _: None)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHIP = bytes(range(64))


def hwid(product: Product) -> bytes:
    return CHIP[:8].ljust(64, b"\x00") if product is Product.TURIN else CHIP


def kds(chip: FalseChip) -> Service:
    """What KDS has about one chip, at the paths of AMD 57230."""
    tcb, product = chip.tcb, chip.product
    spl = f"blSPL={tcb.boot_loader:02}&teeSPL={tcb.tee:02}&snpSPL={tcb.snp:02}&ucodeSPL={tcb.microcode:02}"
    spl = f"fmcSPL={tcb.fmc:02}&{spl}" if product is Product.TURIN else spl
    items = chip.endorsements().items
    base = f"/vcek/v1/{product.value}"
    vlek = f"/vlek/v1/{product.value}"
    return Service(
        {
            f"{base}/{chip.chip_id[: product.hwid_size].hex()}?{spl}": Said(items.get("vcek", b"")),
            f"{base}/cert_chain": Said(_pem(chip.amd.ask, chip.amd.ark)),
            f"{base}/crl": Said(items["crl"]),
            f"{vlek}/cert_chain": Said(_pem(chip.amd.asvk, chip.amd.ark)),
            f"{vlek}/crl": Said(items["crl"]),
        }
    )


def _pem(*ders: bytes) -> bytes:
    return b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


@pytest.mark.parametrize("product", Product)
def test_what_the_service_says_verifies(product: Product) -> None:
    chip = FalseChip(product, at=NOW, chip_id=hwid(product))
    with serving(kds(chip)) as service:
        evidence = chip.evidence(report_data=bytes(64))
        endorsements = Collector(HTTP, Services(amd=service.url)).collect(evidence)
        assert service.asked[1:] == [f"/vcek/v1/{product.value}/cert_chain", f"/vcek/v1/{product.value}/crl"]
    claims = verifiers.authenticate(
        evidence, endorsements, roots=confide_sim.roots(), now=NOW, revocation=verifiers.Revocation(), checks=Checks()
    )
    assert claims.platform_id == hwid(product).hex()


def test_the_certificate_of_a_vlek_comes_from_nowhere_else() -> None:
    chip = FalseChip(Product.MILAN, signing_key=SigningKey.VLEK, at=NOW, chip_id=CHIP)
    with serving(kds(chip)) as service:
        found = Collector(HTTP, Services(amd=service.url)).collect(chip.evidence(report_data=bytes(64)))
    assert set(found.items) == {"cert-chain", "crl"}


def test_a_report_that_does_not_name_its_product_is_asked_for_at_both() -> None:
    chip = FalseChip(Product.GENOA, at=NOW, chip_id=CHIP)
    report = parse_report(chip.report(report_data=bytes(64), version=2))
    with serving(kds(chip)) as service:
        found = fetch_amd(report, HTTP, Services(amd=service.url))
        assert service.asked[0].startswith("/vcek/v1/Milan/")
        assert fetch_amd(report, HTTP, Services(amd=service.url), product=Product.GENOA) == found
    assert found["vcek"] == chip.endorsements().items["vcek"]


def test_a_masked_chip_cannot_be_asked_for() -> None:
    chip = FalseChip(Product.MILAN, at=NOW, chip_id=CHIP)
    report = parse_report(chip.report(report_data=bytes(64), chip_id=bytes(64)))
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        fetch_amd(report, HTTP, Services())


def test_an_unknown_chip_is_refused_by_the_service() -> None:
    chip, other = FalseChip(Product.MILAN, at=NOW, chip_id=CHIP), FalseChip(Product.MILAN, at=NOW, chip_id=bytes([7] * 64))
    with serving(kds(chip)) as service, refused(Code.COLLATERAL_REFUSED):
        Collector(HTTP, Services(amd=service.url)).collect(other.evidence(report_data=bytes(64)))


def test_an_unknown_kind_has_no_service() -> None:
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        Collector(HTTP).collect(Evidence("moon", {}))


@pytest.mark.parametrize("kind", ["nitro", "nitrotpm"])
def test_documents_that_carry_their_chain_need_nothing(kind: str) -> None:
    assert not Collector(HTTP).collect(Evidence(kind, {"document": b""})).items


def test_a_report_that_nobody_signs_asks_nobody() -> None:
    unsigned = dataclasses.replace(report(), signing_key=SigningKey.NONE)
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        fetch_amd(unsigned, HTTP, Services())


def test_a_processor_of_another_product_asks_nobody() -> None:
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        fetch_amd(dataclasses.replace(report(), cpuid=(0x17, 0x31, 0)), HTTP, Services())


def test_a_masked_chip_asks_nobody() -> None:
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        fetch_amd(dataclasses.replace(report(), chip_id=bytes(64)), HTTP, Services())


def test_another_product_is_not_asked_for_while_the_service_is_away() -> None:
    """Version 2 names no product. A refusal leads to the next one, an absent service to nothing."""
    service = Service()
    chip = FalseChip(Product.MILAN, at=NOW, chip_id=CHIP)
    service.answers = {path: Said(status=503) for path in kds(chip).answers if CHIP.hex() in path}
    with serving(service), refused(Code.COLLATERAL_UNREACHABLE):
        fetch_amd(dataclasses.replace(report(), version=2, cpuid=None), HTTP, Services(amd=service.url))
    assert len(set(service.asked)) == 1


def report() -> Report:
    chip = FalseChip(Product.MILAN, at=NOW, chip_id=CHIP)
    return parse_report(chip.evidence(report_data=bytes(64)).items["report"])
