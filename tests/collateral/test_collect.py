"""What each kind of evidence needs, asked of a double of its vendor's service, and verified strictly."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, ocsp
from tests.collateral.doubles import Said, Service, serving
from tests.support import refused

import confide_sim
from confide.attest import verifiers
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.codes import Code
from confide.collateral.cache import Cache
from confide.collateral.collect import Collector, cached, ends_for
from confide.collateral.fetch import Answer, HttpFetcher, Question
from confide.collateral.services import Services
from confide_sim import intel, nvidia
from confide_sim.amd import FalseChip
from confide_sim.aws import FalseHost
from confide_sim.azure import FalseVm
from confide_sim.intel import FalsePlatform
from confide_sim.nvidia import FalseGpu
from confide_sim.tpm import FalseTpm

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DATA = bytes(64)


def collected(service: Service, evidence: Evidence, given: dict[str, bytes] | None = None) -> Endorsements:
    """Over real HTTP, without waiting."""
    with serving(service) as here:
        root = f"{here.url}/sgx/certification/v4/rootcacrl"
        services = Services(here.url, root, here.url, here.url, f"{here.url}/ocsp")
        fetcher = HttpFetcher(pause=lambda _: None)
        return Collector(fetcher, services).collect(evidence, given or {})


def verify(evidence: Evidence, endorsements: Endorsements) -> Any:
    revocation, checks = verifiers.Revocation(), Checks()
    return verifiers.authenticate(evidence, endorsements, roots=confide_sim.roots(), now=NOW, revocation=revocation, checks=checks)


def header(name: str, chain: bytes) -> dict[str, str]:
    """As Intel sends chains."""
    return {name: urllib.parse.quote(chain.decode())}


def pcs(platform: FalsePlatform) -> Service:
    """PCS version 4, or a PCCS: its root list comes in hex."""
    items, tee = platform.endorsements(at=NOW).items, platform.kind.value
    base, fmspc = f"/{tee}/certification/v4", intel.FMSPC.hex().upper()
    chain = header("TCB-Info-Issuer-Chain", items["tcb-info-chain"])
    identity = header("SGX-Enclave-Identity-Issuer-Chain", items["qe-identity-chain"])
    crl = header("SGX-PCK-CRL-Issuer-Chain", items["pck-crl-chain"])
    return Service(
        {
            f"{base}/tcb?fmspc={fmspc}": Said(items["tcb-info"], headers=chain),
            f"{base}/qe/identity": Said(items["qe-identity"], headers=identity),
            f"/sgx/certification/v4/pckcrl?ca={platform.ca}&encoding=der": Said(items["pck-crl"], headers=crl),
            "/sgx/certification/v4/rootcacrl": Said(items["root-crl"].hex().encode()),
        }
    )


@pytest.mark.parametrize("ca", ["platform", "processor"])
@pytest.mark.parametrize("kind", [Kind.SGX, Kind.TDX], ids=str)
def test_intels_service_completes_a_quote(kind: Kind, ca: str) -> None:
    platform = FalsePlatform(kind, ca=ca, at=NOW)
    evidence = platform.evidence(report_data=DATA)
    assert verify(evidence, collected(pcs(platform), evidence)).tcb_status == "UpToDate"


def test_a_quote_without_a_chain_takes_the_one_that_came_with_it() -> None:
    platform = FalsePlatform(Kind.TDX, at=NOW)
    evidence = platform.evidence(report_data=DATA, certification=(3, bytes(404)))
    chain = {"pck-chain": platform.chain()}
    found = collected(pcs(platform), evidence, chain)
    assert verify(evidence, Endorsements({**found.items, **chain})).tcb_status == "UpToDate"
    with refused(Code.X509_MALFORMED):
        collected(pcs(platform), evidence)


def test_a_certificate_of_somebody_asks_nobody() -> None:
    platform = FalsePlatform(Kind.SGX, at=NOW)
    chain = intel.pem(platform.pck(issuer=intel.name("somebody")), intel.ca_certificate(), intel.root().der)
    service = pcs(platform)
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        collected(service, platform.evidence(report_data=DATA, certification=(5, chain)))
    assert service.asked == []


def test_a_chain_that_is_missing_from_the_headers_is_told() -> None:
    platform = FalsePlatform(Kind.SGX, at=NOW)
    service = pcs(platform)
    path = next(path for path in service.answers if "/tcb" in path)
    service.answers[path] = Said(b"{}")
    with refused(Code.COLLATERAL_ANSWER):
        collected(service, platform.evidence(report_data=DATA))


def kds(chip: FalseChip) -> Service:
    """AMD's, for whatever is asked of the chip."""
    items = chip.endorsements(crl=True).items
    pems = b"".join(load_der_x509_certificate(items[role]).public_bytes(Encoding.PEM) for role in ("ask", "ark"))
    tcb = chip.tcb
    query = f"blSPL={tcb.boot_loader:02}&teeSPL={tcb.tee:02}&snpSPL={tcb.snp:02}&ucodeSPL={tcb.microcode:02}"
    return Service(
        {
            f"/vcek/v1/Milan/{chip.chip_id.hex()}?{query}": Said(items["vcek"]),
            "/vcek/v1/Milan/cert_chain": Said(pems),
            "/vcek/v1/Milan/crl": Said(items["crl"]),
        }
    )


def test_amds_service_completes_an_azure_vm_on_sev_snp() -> None:
    vm = FalseVm(at=NOW)
    evidence = Evidence("az-snp-vtpm", vm.items(extra_data=bytes(32)))
    assert verify(evidence, collected(kds(vm.chip), evidence)).snp.product.value == "Milan"


def rim_service(gpu: FalseGpu) -> Service:
    """NVIDIA's two services: manifests by id, and a responder for whoever is asked about."""
    certificates = gpu.certificates()
    signers = nvidia.rim_certificates(NOW)
    names = [label for label, _ in gpu._names]
    known = {
        load_der_x509_certificate(der).serial_number: (der, issuer, key)
        for der, issuer, key in (
            *((certificates[at], certificates[at + 1], nvidia.key_of(names[at + 1])) for at in (1, 2, 3)),
            (signers[0], signers[1], nvidia.key_of("rim-ca")),
            (signers[1], signers[2], nvidia.key_of(nvidia.MANIFESTS)),
        )
    }

    def respond(body: bytes) -> Said:
        der, issuer, key = known[ocsp.load_der_ocsp_request(body).serial_number]
        return Said(nvidia.status(der, issuer, key, at=NOW), headers={"content-type": "application/ocsp-response"})

    def manifest(name: str, what: str) -> Said:
        rim = gpu.rim(what)
        body = {"id": name, "rim": base64.b64encode(rim).decode(), "sha256": hashlib.sha256(rim).hexdigest()}
        return Said(json.dumps(body).encode())

    driver = f"NV_GPU_DRIVER_{gpu.architecture}_{nvidia.DRIVER}"
    digits = nvidia.VBIOS.replace(".", "")
    vbios = f"NV_SWITCH_BIOS_5612_0002_890_{digits}" if gpu.is_switch else f"NV_GPU_VBIOS_1010_0200_882_{digits}"
    answers: dict[str, Said | list[Said] | Callable[[bytes], Said]] = {
        f"/v1/rim/{driver}": manifest(driver, "driver"),
        f"/v1/rim/{vbios}": manifest(vbios, "vbios"),
        "/ocsp/": respond,
    }
    return Service(answers)


@pytest.mark.parametrize("architecture", ["GH100", "GB100", "LS_10"])
def test_nvidias_services_complete_a_report(architecture: str) -> None:
    gpu = FalseGpu(architecture, at=NOW)
    evidence, given = gpu.evidence(nonce=bytes(32)), {"cert-chain": gpu.chain()}
    service = rim_service(gpu)
    found = collected(service, evidence, given)
    claims = verify(evidence, Endorsements({**found.items, **given}))
    assert claims.manifest_failures == ()
    assert service.asked.count("/ocsp/") == 5


def test_a_device_without_its_certificates_is_told() -> None:
    gpu = FalseGpu(at=NOW)
    with refused(Code.X509_MISSING):
        collected(rim_service(gpu), gpu.evidence(nonce=bytes(32)))


@pytest.mark.parametrize("kind", [Kind.NITRO, Kind.NITROTPM], ids=str)
def test_aws_documents_need_nothing(kind: Kind) -> None:
    service = Service()
    assert not collected(service, FalseHost(kind, at=NOW).evidence(report_data=DATA)).items
    assert service.asked == []


def test_kinds_without_a_service_are_told() -> None:
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        collected(Service(), FalseTpm(at=NOW).evidence(extra_data=bytes(32)))


@pytest.mark.parametrize("chain", ["", "certificates", "x" * 20_000], ids=["none", "no PEM", "long"])
def test_a_chain_in_the_headers_that_is_none_is_told(chain: str) -> None:
    platform = FalsePlatform(Kind.SGX, at=NOW)
    service = pcs(platform)
    path = next(path for path in service.answers if "/tcb" in path)
    service.answers[path] = Said(b"{}", headers={"TCB-Info-Issuer-Chain": chain})
    with refused(Code.COLLATERAL_ANSWER):
        collected(service, platform.evidence(report_data=DATA))


@pytest.mark.parametrize("said", [b"abc", b'"0', b""], ids=repr)
def test_a_list_that_is_no_list_is_left_to_the_verifier(said: bytes) -> None:
    platform = FalsePlatform(Kind.SGX, at=NOW)
    service, evidence = pcs(platform), platform.evidence(report_data=DATA)
    service.answers["/sgx/certification/v4/rootcacrl"] = Said(said)
    with refused(Code.X509_MALFORMED):
        verify(evidence, collected(service, evidence))


MANIFEST = base64.b64encode(b"<a/>").decode()
OTHER_DIGEST = {"id": "{id}", "rim": MANIFEST, "sha256": "00" * 32}
MANIFESTS: dict[str, bytes] = {
    "no JSON": b"<a/>",
    "a list": b"[]",
    "no manifest": b'{"id":"{id}"}',
    "another's": json.dumps({"id": "NV_GPU_DRIVER_X", "rim": MANIFEST}).encode(),
    "no base 64": b'{"id":"{id}","rim":"*"}',
    "a number": b'{"id":"{id}","rim":7}',
    "another digest": json.dumps(OTHER_DIGEST).encode(),
    "a member twice": b'{"id":"{id}","id":"{id}","rim":""}',
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_that_is_none_is_told(what: str) -> None:
    gpu = FalseGpu(at=NOW)
    service = rim_service(gpu)
    path = next(path for path in service.answers if "DRIVER" in path)
    service.answers[path] = Said(MANIFESTS[what].replace(b"{id}", path.rpartition("/")[2].encode()))
    with refused(Code.COLLATERAL_ANSWER):
        collected(service, gpu.evidence(nonce=bytes(32)), {"cert-chain": gpu.chain()})


def test_a_driver_whose_name_is_a_path_asks_nobody() -> None:
    gpu = FalseGpu(at=NOW)
    service = rim_service(gpu)
    with refused(Code.COLLATERAL_UNKNOWN_PLATFORM):
        collected(service, gpu.evidence(nonce=bytes(32), opaque={"driver_version": b"../secret\x00"}), {"cert-chain": gpu.chain()})
    assert not any("secret" in path for path in service.asked)


UNSUCCESSFUL = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)


@pytest.mark.parametrize("said", [b"", b"no response", UNSUCCESSFUL], ids=["nothing", "garbage", "try later"])
def test_a_status_that_is_none_is_told(said: bytes) -> None:
    gpu = FalseGpu(at=NOW)
    service = rim_service(gpu)
    service.answers["/ocsp/"] = Said(said)
    with refused(Code.COLLATERAL_ANSWER):
        collected(service, gpu.evidence(nonce=bytes(32)), {"cert-chain": gpu.chain()})


PLACES = {
    "https://pcs.example/sgx/certification/v4/tcb": lambda: intel.tcb_info(at=NOW),
    "https://pcs.example/sgx/certification/v4/qe/identity": lambda: intel.qe_identity(at=NOW),
    "https://pcs.example/sgx/certification/v4/pckcrl": lambda: intel.crl("platform", at=NOW),
    "https://pcs.example/IntelSGXRootCA.der": lambda: intel.crl("root", at=NOW),
    "https://pccs.example/sgx/certification/v4/rootcacrl": lambda: intel.crl("root", at=NOW),
    "https://kds.example/vcek/v1/Milan/crl": lambda: FalseChip(at=NOW).endorsements().items["crl"],
}


@pytest.mark.parametrize("place", PLACES)
def test_what_was_asked_tells_how_the_end_of_the_answer_is_read(place: str) -> None:
    answer = Answer(PLACES[place](), {})
    assert ends_for(Question(place, 1))(answer) == NOW + timedelta(days=29)
    assert ends_for(Question(place, 1))(Answer(b"something else", {})) is None


def test_certificates_end_too_and_other_answers_do_not() -> None:
    chip = FalseChip(at=NOW)
    for path in ("/vcek/v1/Milan/cert_chain", f"/vcek/v1/Milan/{chip.chip_id.hex()}"):
        assert ends_for(Question(f"https://kds.example{path}", 1))(Answer(chip.certificate, {})) is not None
    assert ends_for(Question("https://rim.example/v1/rim/x", 1))(Answer(chip.certificate, {})) is None


def test_a_cache_stands_in_front_where_there_is_a_folder_for_it(tmp_path: Path) -> None:
    fetcher = HttpFetcher()
    assert cached(None, fetcher, now=lambda: NOW) is fetcher
    assert isinstance(cached(tmp_path / "kept", fetcher, now=lambda: NOW), Cache)
