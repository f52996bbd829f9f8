"""What lies behind a signature: false vendors sign whatever was changed, so that what is read only then sees strange values too.

A verifier, what is wanted of its claims, the entry that would be proposed for them and what an operator is shown give values or our
errors, whatever a vendor signs. Left to others: that nobody else's signature counts (`targets`).
"""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from scripts.vectors import _node as node
from tests.attest.azure import world as azure_world
from tests.attest.cca import world as cca_world
from tests.attest.dcap import world as dcap_world
from tests.attest.nitro import world as nitro_world
from tests.attest.nvidia import world as nvidia_world
from tests.attest.snp import world as snp_world
from tests.attest.tpm import world as tpm_world
from tests.fuzz.target import Items, Target, parser
from tests.policy.ear import tokens
from tests.policy.reference import manifests

from confide.attest import admission, verifiers
from confide.attest.checks import Checks
from confide.attest.claims import Claims
from confide.attest.constraints import Constraints
from confide.attest.eventlog import Algorithm
from confide.attest.eventlog.log import parse_event_log
from confide.attest.eventlog.replay import replay
from confide.attest.evidence import Endorsements, Evidence, Kind, Roots
from confide.attest.x509 import Revocation
from confide.formats import dsse
from confide.guest.devices.checked import unacceptable
from confide.guest.devices.platforms import platform_of
from confide.policy.accept import table
from confide.policy.ear import result
from confide.policy.reference import corim
from confide_sim import arm, intel, intel_quote, nvidia, nvidia_rim, report, td, tpm_structures
from confide_sim.aws import cbor
from confide_sim.azure import FalseTdVm, FalseVm, runtime

SIGNATURE = 96  # bytes of P-384 behind an SPDM response


def judged(world: Any, evidence: Evidence, endorsements: Endorsements = Endorsements({})) -> Constraints:  # noqa: B008 - frozen
    """All that happens to evidence of which only its content is strange: verifier, constraints, proposal, an operator's page."""
    roots: Roots = getattr(world, "ROOTS", (arm.root(),))
    given: dict[str, Any] = {"roots": roots, "now": world.NOW, "revocation": Revocation()}
    claims: Claims = verifiers.authenticate(evidence, endorsements, checks=Checks(), **given)
    entries = table.KINDS[claims.kind]
    verifiers.validate(claims, entries.without_references(claims), checks=Checks(strict=False))
    platform_of(claims.kind).facts(claims)
    unacceptable(claims)
    return entries.constraints(entries.observed(claims))


def _snp() -> Target:
    chip = snp_world.chip()
    whole, given = chip.report(report_data=bytes(64)), chip.endorsements()

    def run(data: bytes) -> object:
        signed = report.sign(data[: report.SIZE].ljust(report.SIZE, b"\x00"), chip.key)
        return judged(snp_world, Evidence(Kind.SNP, {"report": signed}), given)

    return parser(whole, run)


def _body(kind: Kind, body: bytes) -> Target:
    """The report of a TD or an enclave, in a quote; a cut one keeps its type in the quote of version 5."""
    platform = dcap_world.platform(kind)
    given, part = platform.endorsements(), {"body_type": intel_quote.BODY_TYPES[len(body)]} if kind is Kind.TDX else {}
    version = 5 if kind is Kind.TDX else 3

    def run(data: bytes) -> object:
        return judged(dcap_world, Evidence(kind, {"quote": platform.quote(body=data, version=version, part=part)}), given)

    return parser(body, run)


def _collateral(role: str, member: str, whole: bytes) -> Target:
    """Intel's JSON; the text that is signed is all but the braces around it."""
    platform = dcap_world.platform(Kind.TDX)
    evidence, given = platform.evidence(report_data=bytes(64)), platform.endorsements().items
    text = whole[len(f'{{"{member}":') : whole.rindex(b',"signature"')]

    def run(data: bytes) -> object:
        signature = intel_quote.sign(intel.key_of("tcb"), data).hex().encode()
        said = b'{"%b":%b,"signature":"%b"}' % (member.encode(), data, signature)
        return judged(dcap_world, evidence, Endorsements({**given, role: said}))

    return parser(text, run)


def _nitro(kind: Kind) -> Target:
    host = nitro_world.host(kind)

    def run(data: bytes) -> object:
        return judged(nitro_world, Evidence(kind, {"document": host.message(data)}))

    return parser(host.payload(user_data=bytes(64)), run)


def _quote() -> Target:
    """A TPM's quote, signed as it is; and a log, to which PCRs and quote are made to fit."""
    one = tpm_world.tpm()
    given, items = one.endorsements(), one.items(extra_data=bytes(32))

    def run(changed: Items) -> object:
        attest, events = changed["attest"], changed["event-log"]
        if events != items["event-log"]:
            pcrs = {**dict.fromkeys(range(24), bytes(32)), **replay(parse_event_log(events), Algorithm.SHA256)}
            made = one.items(extra_data=bytes(32), pcrs=pcrs, items={"event-log": events})
        else:
            made = {**items, "attest": attest, "signature": tpm_structures.sign(attest, one.key)}
        return judged(tpm_world, Evidence(Kind.TPM, made), given)

    return Target({role: items[role] for role in ("attest", "event-log")}, run)


def _azure(vm: FalseVm | FalseTdVm) -> Target:
    """Runtime data that the hardware's report covers."""
    given = vm.endorsements()

    def run(data: bytes) -> object:
        return judged(azure_world, vm.evidence(extra_data=bytes(32), data=data), given)

    return parser(runtime(vm.key), run)


def _cca(newer: bool) -> Target:
    realm = cca_world.REALM
    inner = realm.realm(bytes(64), newer=newer)
    bound = hashlib.sha256(inner[44237]).digest()
    items = {"platform": cbor(realm.platform(bound, newer=newer)), "realm": cbor(inner)}

    def run(changed: Items) -> object:
        parts = arm.message(changed["platform"], key=arm.CPAK), arm.message(changed["realm"], key=realm.key)
        token = (arm.cmw if newer else arm.collection)(*parts)
        return judged(cca_world, Evidence(Kind.CCA, {"token": token}))

    return Target(items, run)


def _gpu() -> Target:
    one = nvidia_world.gpu()
    short = {"rim_driver": one.rim("driver", indexes=(7, 35)), "rim_vbios": one.rim("vbios", indexes=(0, 1))}
    given = one.endorsements(**short)

    def run(data: bytes) -> object:
        signed = data + nvidia.raw_signature(one.key, data)
        return judged(nvidia_world, Evidence(Kind.NVIDIA, {"gpu-report": signed}), given)

    return parser(one.report(nonce=bytes(32))[:-SIGNATURE], run)


def _manifest() -> Target:
    """The text of a manifest, signed where its signature stands; only what is in canonical form already keeps its digest."""
    one = nvidia_world.gpu()
    evidence = one.evidence(nonce=bytes(32))
    given = one.endorsements(rim_vbios=one.rim("vbios", indexes=(0, 1))).items
    key: ec.EllipticCurvePrivateKey = nvidia.key_of("rim")
    certificates = nvidia.rim_certificates(one.at)
    resources = [nvidia_rim.resource(index, one.golden("driver")[index]) for index in (7, 35)]
    head, tail = nvidia_rim.body(nvidia.DRIVER, one.architecture, resources)

    def run(data: bytes) -> object:
        pieces = data.decode("utf-8", "replace"), tail
        said = nvidia_rim.signed(pieces, sign=functools.partial(nvidia.raw_signature, key), certificates=certificates)
        return judged(nvidia_world, evidence, Endorsements({**given, "rim-driver": said}))

    return parser(head.encode(), run)


def _ear() -> Target:
    key = tokens.ED25519

    def run(data: bytes) -> object:
        return result.check(tokens.token(data), key.public_key(), now=tokens.NOW, nonce=tokens.NONCE)

    return parser(json.dumps(tokens.members()).encode(), run)


def _admission() -> Target:
    expected: dict[str, Any] = {"authority_key": node.AUTHORITY.public, "now": node.NOW, "platform_id": node.PLATFORM}
    keyset = node.keyset()

    def run(data: bytes) -> object:
        envelope = dsse.sign(data, payload_type=admission.PAYLOAD_TYPE, keys=(node.AUTHORITY,))
        return admission.verify_admission(envelope, keyset=keyset, checks=Checks(), **expected)

    return parser(node.encode(node.admission_members()), run)


def _corim() -> Target:
    key = manifests.KEY.public_key()
    return parser(manifests.corim(), lambda data: corim.read(manifests.signed(data), signer=key, now=manifests.NOW))


TARGETS: Mapping[str, Callable[[], Target]] = {
    "signed-snp": _snp,
    "signed-sgx": lambda: _body(Kind.SGX, intel_quote.report()),
    "signed-tdx": lambda: _body(Kind.TDX, td.body({}, td.TD_15)),
    "signed-tcb-info": lambda: _collateral("tcb-info", "tcbInfo", intel.tcb_info(Kind.TDX, at=dcap_world.NOW)),
    "signed-qe-identity": lambda: _collateral("qe-identity", "enclaveIdentity", intel.qe_identity(Kind.TDX, at=dcap_world.NOW)),
    "signed-nitro": lambda: _nitro(Kind.NITRO),
    "signed-nitrotpm": lambda: _nitro(Kind.NITROTPM),
    "signed-tpm": _quote,
    "signed-az-snp-vtpm": lambda: _azure(azure_world.vm()),
    "signed-az-tdx-vtpm": lambda: _azure(FalseTdVm(at=azure_world.NOW)),
    "signed-cca": lambda: _cca(newer=False),
    "signed-cca-2026": lambda: _cca(newer=True),
    "signed-nvidia": _gpu,
    "signed-manifest": _manifest,
    "signed-ear": _ear,
    "signed-admission": _admission,
    "signed-corim": _corim,
}
