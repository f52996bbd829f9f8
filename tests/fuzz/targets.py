"""What is fuzzed: every parser of evidence and collateral, and the verifier of every kind.

A parser gives a value or raises `ConfideError`. A verifier that is given changed bytes raises, or says what it says of the whole
ones: nothing that was signed may be different. Left to others: what hosts and devices say to a node (`guest_targets`), policies and
other files (`file_targets`), what stands behind signatures (`signed_targets`), changing bytes and keeping the interesting ones
(`fuzzing`).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from tests.attest.azure import world as azure_world
from tests.attest.cca import world as cca_world
from tests.attest.dcap import world as dcap_world
from tests.attest.nitro import world as nitro_world
from tests.attest.nvidia import world as nvidia_world
from tests.attest.snp import world as snp_world
from tests.attest.tpm import world as tpm_world
from tests.fuzz import file_targets, guest_targets, signed_targets
from tests.fuzz.target import Target, parser, verifier
from tests.policy.ear import tokens
from tests.policy.reference import manifests
from tests.policy.world import World

from confide.attest import cbor, cose, x509
from confide.attest.azure.hcl import ReportType, parse_hcl_report
from confide.attest.azure.runtime import parse_runtime
from confide.attest.azure.verify import authenticate_snp, authenticate_tdx
from confide.attest.cca import keys as cca_keys
from confide.attest.cca import layout as cca_layout
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.dcap import collateral as dcap_collateral
from confide.attest.dcap.quote import TeeType, parse_quote
from confide.attest.document import parse_document
from confide.attest.eventlog.ccel import parse_ccel
from confide.attest.eventlog.log import parse_event_log
from confide.attest.evidence import Endorsements, Kind
from confide.attest.keyset import parse_keyset
from confide.attest.nitro.layout import parse_payload
from confide.attest.nvidia.ocsp import load_responses
from confide.attest.nvidia.spdm import parse_measurements
from confide.attest.nvidia.xml import parse as parse_xml
from confide.attest.snp.layout import parse_report
from confide.attest.tpm.public import parse_public
from confide.attest.tpm.quote import parse_attest, parse_pcrs, parse_signature
from confide.policy.ear import result
from confide.policy.reference import corim
from confide_sim import aws, intel, td
from confide_sim.azure import FalseTdVm, FalseVm, runtime

# --- parsers ----------------------------------------------------------------------------------------------------------------------


def _log() -> bytes:
    return tpm_world.tpm().items(extra_data=tpm_world.EXTRA)["event-log"]


def _ccel() -> bytes:
    """An ACPI table whose checksum is right (ACPI 6.5 section 5.2.34)."""
    body = (
        b"CCEL" + (56).to_bytes(4, "little") + bytes([1, 0]) + b"CONFID" + b"SIMULATE" + bytes(8) + bytes([2, 0, 0, 0]) + bytes(16)
    )
    body = body[:36] + bytes([2, 0, 0, 0]) + (65536).to_bytes(8, "little") + (4096).to_bytes(8, "little")
    return body[:9] + bytes([-sum(body) & 255]) + body[10:]


def _corim(data: bytes) -> object:
    return corim.read(data, signer=None, now=manifests.NOW)


def _ear(data: bytes) -> object:
    return result.check(data.decode("latin-1"), tokens.ED25519.public_key(), now=tokens.NOW, nonce=tokens.NONCE)


def _sign1(data: bytes) -> object:
    return cose.parse_sign1(data, algorithms=tuple(cose.Algorithm), tagged=False, checks=Checks())


def _hcl(data: bytes) -> object:
    return parse_hcl_report(data, wanted=ReportType.SNP)


def _quote(tee: TeeType) -> Callable[[bytes], object]:
    return lambda data: parse_quote(data, tee=tee, checks=Checks())


def _parsers() -> Mapping[str, Callable[[], Target]]:
    """Made when asked for: some inputs take a while."""
    vm, gpu = azure_world.vm, nvidia_world.gpu
    realm, host, platform = cca_world.REALM, nitro_world.host, dcap_world.platform
    snp = snp_world.chip
    quote = functools.partial(tpm_world.tpm().items, extra_data=tpm_world.EXTRA)
    report = functools.partial(dcap_world.platform, Kind.TDX)
    return {
        "cbor": lambda: parser(host().payload(user_data=bytes(64)), cbor.loads),
        "cose": lambda: parser(host().document(user_data=bytes(64)), _sign1),
        "nitro": lambda: parser(host().payload(user_data=bytes(64)), lambda data: parse_payload(data, kind=Kind.NITRO)),
        "cca-token": lambda: parser(realm.token(cca_world.CHALLENGE), cca_layout.parse_token),
        "cca-platform": lambda: parser(aws.cbor(realm.platform(bytes(32), newer=True)), cca_layout.parse_platform),
        "cca-realm": lambda: parser(aws.cbor(realm.realm(bytes(64), newer=True)), cca_layout.parse_realm),
        "cca-key": lambda: parser(realm.cose_key(), cca_keys.realm_key),
        "snp-report": lambda: parser(snp().evidence(report_data=bytes(64)).items["report"], parse_report),
        "certificate": lambda: parser(snp().endorsements().items["vcek"], x509.load_certificate),
        "certificates": lambda: parser(gpu().chain(), x509.load_certificates),
        "crl": lambda: parser(snp().endorsements().items["crl"], x509.load_crls),
        "sgx-quote": lambda: parser(platform().quote(report_data=bytes(64)), _quote(TeeType.SGX)),
        "tdx-quote": lambda: parser(report().quote(report_data=bytes(64), size=td.TD_15), _quote(TeeType.TDX)),
        "tcb-info": lambda: parser(intel.tcb_info(Kind.TDX, at=dcap_world.NOW), dcap_collateral.parse_tcb_info),
        "qe-identity": lambda: parser(intel.qe_identity(at=dcap_world.NOW), dcap_collateral.parse_identity),
        "tpm-attest": lambda: parser(quote()["attest"], parse_attest),
        "tpm-signature": lambda: parser(quote()["signature"], parse_signature),
        "tpm-pcrs": lambda: parser(quote()["pcrs"], parse_pcrs),
        "tpm-public": lambda: parser(quote()["ak-public"], lambda data: parse_public(data, checks=Checks())),
        "event-log": lambda: parser(_log(), parse_event_log),
        "ccel": lambda: parser(_ccel(), parse_ccel),
        "hcl": lambda: parser(vm().items(extra_data=azure_world.EXTRA, hcl={"size": 0})["hcl-report"], _hcl),
        "runtime": lambda: parser(runtime(vm().key), parse_runtime),
        "spdm": lambda: parser(gpu().report(nonce=bytes(32)), parse_measurements),
        "rim-xml": lambda: parser(gpu().rim("driver", indexes=(7, 35)), parse_xml),
        "ocsp": lambda: parser(gpu().ocsp(), load_responses),
        "document": lambda: parser(World().document(), parse_document),
        "keyset": lambda: parser(World().keyset.raw, parse_keyset),
        "corim": lambda: parser(manifests.corim(), _corim),
        "ear": lambda: parser(tokens.token(tokens.members()).encode(), _ear),
    }


# --- verifiers --------------------------------------------------------------------------------------------------------------------


def _verifiers() -> Mapping[str, Callable[[], Target]]:
    def snp() -> Target:
        chip = snp_world.chip()
        return verifier(chip.evidence(report_data=bytes(64)), chip.endorsements(), snp_world.verify)

    def dcap(kind: Kind) -> Target:
        platform = dcap_world.platform(kind)
        return verifier(platform.evidence(report_data=bytes(64)), platform.endorsements(), dcap_world.verify)

    def nitro(kind: Kind) -> Target:
        evidence = nitro_world.host(kind).evidence(report_data=bytes(64))
        return verifier(evidence, Endorsements({}), lambda given, _: nitro_world.verify(given))

    def tpm() -> Target:
        one = tpm_world.tpm()
        return verifier(one.evidence(extra_data=bytes(32)), one.endorsements(), tpm_world.verify)

    def azure(vm: FalseVm | FalseTdVm, authenticate: Callable[..., Claims]) -> Target:
        arguments: dict[str, Any] = {"roots": azure_world.ROOTS, "now": azure_world.NOW, "revocation": x509.Revocation()}
        verify = functools.partial(authenticate, **arguments)
        return verifier(vm.evidence(extra_data=bytes(32)), vm.endorsements(), lambda *given: verify(*given, checks=Checks()))

    def nvidia() -> Target:
        gpu = nvidia_world.gpu()
        short = {"rim_driver": gpu.rim("driver", indexes=(7, 35)), "rim_vbios": gpu.rim("vbios", indexes=(0, 1))}
        return verifier(gpu.evidence(nonce=bytes(32)), gpu.endorsements(**short), nvidia_world.verify)

    def cca() -> Target:
        evidence = cca_world.REALM.evidence(report_data=bytes(64))
        return verifier(evidence, Endorsements({}), lambda given, _: cca_world.verify(given))

    return {
        "verify-snp": snp,
        "verify-sgx": functools.partial(dcap, Kind.SGX),
        "verify-tdx": functools.partial(dcap, Kind.TDX),
        "verify-nitro": functools.partial(nitro, Kind.NITRO),
        "verify-nitrotpm": functools.partial(nitro, Kind.NITROTPM),
        "verify-tpm": tpm,
        "verify-az-snp-vtpm": lambda: azure(azure_world.vm(), authenticate_snp),
        "verify-az-tdx-vtpm": lambda: azure(FalseTdVm(at=azure_world.NOW), authenticate_tdx),
        "verify-nvidia": nvidia,
        "verify-cca": cca,
    }


TARGETS: Mapping[str, Callable[[], Target]] = {
    **_parsers(),
    **guest_targets.TARGETS,
    **file_targets.TARGETS,
    **signed_targets.TARGETS,
    **_verifiers(),
}
