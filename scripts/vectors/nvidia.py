"""vectors/07g-nvidia.json. Reports, certificates and manifests rebuild; OCSP responses are random and kept as committed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ReasonFlags, ocsp

from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import aws, der, intel, nvidia, nvidia_rim, nvidia_spdm, x509
from confide_sim.nvidia import FalseGpu
from scripts.vectors._cases import accept, reject
from scripts.vectors.tpm import slug

Case = dict[str, Any]
Made = Callable[[], dict[str, Any]]

PROVENANCE = (
    "Made by scripts/vectors/nvidia.py with the false NVIDIA of confide-sim, whose private keys are public; every certificate says "
    "SIMULATED. OCSP signatures are random, so inputs with responses are kept from the committed file and verified again."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NONCE = bytes(range(32))
OTHER = ec.derive_private_key(7, ec.SECP384R1())
P256 = ec.derive_private_key(7, ec.SECP256R1())
REVOKED = ocsp.OCSPCertStatus.REVOKED
GPU, SWITCH = FalseGpu(at=NOW, seed=b"vectors"), FalseGpu("LS_10", at=NOW, seed=b"vectors")
SHORT = {index: value for index, value in GPU.measurements().items() if index in {1, 2, 8, 36}}  # what is compared below
BLOCKS = [nvidia_spdm.block(index, value) for index, value in SHORT.items()]
ROOTS = [root.der.hex() for root in nvidia.roots()]
DRIVER, VBIOS = (7, 35), (0, 1)
ARCHITECTURES = {"architectures": ["GH100"]}
MAY_NOT_SIGN = (x509.basic_constraints(ca=True), x509.key_usage(digital_signature=True))


def given(
    *,
    one: FalseGpu = GPU,
    report: bytes | None = None,
    chain: dict[str, Any] | None = None,
    items: dict[str, str] | None = None,
    responses: bytes | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """Input of `nvidia.authenticate`; `overrides` are of the report, `chain` of certificates. Given `responses` are required."""
    made = one.report(**{"nonce": NONCE, "blocks": BLOCKS, **overrides}) if report is None else report
    endorsements = {"cert-chain": one.chain(**(chain or {})).decode(), **(items or {})}
    if responses is not None:
        endorsements["ocsp"] = responses.hex()
    return {
        "report": made.hex(),
        "endorsements": endorsements,
        "roots": ROOTS,
        "now": format_time(NOW),
        "required": responses is not None,
    }


def rims(*, driver: dict[str, Any] | None = None, vbios: dict[str, Any] | None = None) -> dict[str, str]:
    """Both manifests, of few indexes; overrides of each."""
    return {
        "rim-driver": GPU.rim("driver", **{"indexes": DRIVER, **(driver or {})}).decode(),
        "rim-vbios": GPU.rim("vbios", **{"indexes": VBIOS, **(vbios or {})}).decode(),
    }


def judged(constraints: dict[str, Any] | None = None, *, items: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """The input of `nvidia.validate`."""
    return {**given(items=rims() if items is None else items, **more), "constraints": {**ARCHITECTURES, **(constraints or {})}}


def manifest(text: bytes | None = None, *, responses: bytes = b"", required: bool = False, **overrides: Any) -> dict[str, Any]:
    """The input of `nvidia.manifest`."""
    whole = GPU.rim("driver", **{"indexes": DRIVER, **overrides}) if text is None else text
    return {"manifest": whole.decode(), "ocsp": responses.hex(), "roots": ROOTS, "now": format_time(NOW), "required": required}


def edited(old: str, new: str) -> dict[str, Any]:
    """A manifest whose text was changed after it was signed."""
    return manifest(GPU.rim("driver", indexes=DRIVER).replace(old.encode(), new.encode()))


def plain(value: dict[str, Any]) -> Made:
    """An input that rebuilds."""
    return lambda: value


def told(**overrides: Any) -> Made:
    """A report with responses that may lie."""
    return lambda: given(responses=GPU.ocsp(**overrides))


def block_lies(**lies: Any) -> list[bytes]:
    """All blocks, the second of which lies."""
    return [BLOCKS[0], nvidia_spdm.block(2, SHORT[2], **lies), *BLOCKS[2:]]


def crowded(document: bytes, attribute: str, count: int) -> bytes:
    """The root element with so many attributes more."""
    more = " ".join(attribute.format(number) for number in range(count))
    return document.replace(b"<SoftwareIdentity ", b"<SoftwareIdentity " + more.encode() + b" ", 1)


def leaves(count: int) -> dict[str, Any]:
    """A leaf so many times."""
    leaf, *rest = GPU.certificates()
    return {**given(), "endorsements": {"cert-chain": intel.pem(*[leaf] * count, *rest).decode()}}


SIGNS_OCSP = der.extension("2.5.29.37", der.seq(der.oid("1.3.6.1.5.5.7.3.9")))  # extendedKeyUsage, id-kp-OCSPSigning


def by(**overrides: Any) -> Made:
    """Statuses, one of them by a responder of the issuer's."""
    return lambda: given(
        responses=GPU.ocsp(which=(1, 3)) + GPU.ocsp(which=(2,), responder=nvidia.responder("responder", **overrides))
    )


HEAD, TAIL = nvidia_rim.body("1.0", "GH100", [])
GENUINE: list[tuple[str, str, Made]] = [
    ("a gpu", "NV-1 NV-2 NV-3 NV-4 NV-5 NV-8 NV-9", plain(given())),
    ("a switch", "NV-3 NV-9", plain(given(one=SWITCH))),
    ("a stray byte", "NV-2", plain(given(behind=b"\x00"))),
    ("statuses", "NV-6 NV-7", told()),
    ("a hold", "NV-7", told(state=REVOKED, reason=ReasonFlags.certificate_hold)),
    (
        "a responder of the issuer",
        "NV-6",
        by(),
    ),
    (
        "a manifest that does not hold",
        "NV-13",
        plain(given(items={"rim-driver": GPU.rim("driver", indexes=DRIVER, key=OTHER).decode()})),
    ),
]
LIES: list[tuple[str, str, Code, Made]] = [
    ("cut short", "NV-1", Code.NVIDIA_SPDM, plain(given(report=GPU.report(nonce=NONCE, blocks=BLOCKS)[:-1]))),
    ("version 1 2", "NV-1", Code.NVIDIA_SPDM, plain(given(request={"version": 0x12}))),
    ("one block asked for", "NV-1", Code.NVIDIA_SPDM, plain(given(request={"operation": 1}))),
    ("no signature asked for", "NV-1", Code.NVIDIA_SPDM, plain(given(request={"attributes": 0}))),
    ("another response", "NV-1", Code.NVIDIA_SPDM, plain(given(response={"code": 0x7F}))),
    ("two bytes behind", "NV-2", Code.NVIDIA_SPDM, plain(given(behind=bytes(2)))),
    ("a block more", "NV-2", Code.NVIDIA_SPDM, plain(given(response={"blocks": 5}))),
    ("a block twice", "NV-2", Code.NVIDIA_SPDM, plain(given(blocks=[*BLOCKS, BLOCKS[0]]))),
    ("another specification", "NV-2", Code.NVIDIA_SPDM, plain(given(blocks=block_lies(specification=2)))),
    ("a value of another size", "NV-2", Code.NVIDIA_SPDM, plain(given(blocks=block_lies(value_size=47)))),
    ("opaque data twice", "NV-2", Code.NVIDIA_SPDM, plain(given(data=nvidia_spdm.opaque({3: b"1"}) * 2))),
    ("no chain", "NV-3", Code.X509_MISSING, plain({**given(), "endorsements": {}})),
    ("a chain of another root", "NV-3", Code.X509_ROOT, plain({**given(), "roots": ROOTS[::-1]})),
    ("a chain that is too long", "NV-3", Code.NVIDIA_CHAIN, plain(leaves(4))),
    ("a leaf twice", "NV-3", Code.X509_REPEATED, plain(leaves(2))),
    ("an authority that may not sign", "NV-4", Code.X509_KEY_USAGE, plain(given(chain={"identity": {"extensions": MAY_NOT_SIGN}}))),
    ("no authority", "NV-4", Code.X509_BASIC_CONSTRAINTS, plain(given(chain={"identity": {"extensions": aws.end_entity()}}))),
    (
        "a leaf that is an authority",
        "NV-4",
        Code.X509_BASIC_CONSTRAINTS,
        plain(given(chain={"leaf": {"extensions": aws.authority()}})),
    ),
    ("another issuer", "NV-5", Code.X509_ISSUER, plain(given(chain={"brom": {"issuer": nvidia.name("somebody")}}))),
    ("another signer", "NV-5", Code.X509_SIGNATURE, plain(given(chain={"brom": {"key": OTHER}}))),
    ("an authority of P-256", "NV-5", Code.X509_ISSUER_KEY, plain(given(chain={"provisioner": {"public_key": x509.spki(P256)}}))),
    ("SHA-256", "NV-5", Code.X509_SIGNATURE_ALGORITHM, plain(given(chain={"brom": {"algorithm": aws.ecdsa("sha256")}}))),
    ("an authority that ended", "NV-5", Code.X509_EXPIRED, plain(given(chain={"identity": {"not_after": NOW - DAY}}))),
    ("an authority of tomorrow", "NV-5", Code.X509_NOT_YET_VALID, plain(given(chain={"identity": {"not_before": NOW + DAY}}))),
    ("a status that is missing", "NV-6", Code.NVIDIA_OCSP, told(which=(1, 3))),
    ("unknown", "NV-6", Code.NVIDIA_OCSP_STALE, told(state=ocsp.OCSPCertStatus.UNKNOWN)),
    ("yesterdays status", "NV-6", Code.NVIDIA_OCSP_STALE, told(this_update=NOW - 3 * DAY, next_update=NOW - DAY)),
    (
        "a responder for other purposes",
        "NV-6",
        Code.NVIDIA_OCSP,
        by(extended=False),
    ),
    ("a responder whose certificate ended", "NV-6", Code.NVIDIA_OCSP_STALE, by(not_after=NOW - DAY)),
    ("a responder of tomorrow", "NV-6", Code.NVIDIA_OCSP_STALE, by(not_before=NOW + DAY)),
    ("a responder certified with SHA-256", "NV-6", Code.NVIDIA_OCSP, by(algorithm=aws.ecdsa("sha256"))),
    ("a responder that is an authority", "NV-6", Code.NVIDIA_OCSP, by(extensions=(*aws.authority(), SIGNS_OCSP))),
    ("revoked", "NV-7", Code.NVIDIA_REVOKED, told(state=REVOKED)),
    (
        "revoked in an old response",
        "NV-7",
        Code.NVIDIA_REVOKED,
        lambda: given(
            responses=GPU.ocsp()
            + GPU.ocsp(which=(2,), state=REVOKED, this_update=NOW - 9 * DAY, next_update=NOW - 8 * DAY, revoked_at=NOW - 10 * DAY)
        ),
    ),
    ("another key", "NV-8", Code.NVIDIA_SIGNATURE, plain(given(key=OTHER))),
    ("another nonce", "NV-8", Code.NVIDIA_SIGNATURE, plain(given(edited=lambda signed: signed[:4] + bytes(32) + signed[36:]))),
    ("other firmware", "NV-9", Code.NVIDIA_FWID, plain(given(opaque={"fwid": bytes(48)}))),
    ("no firmware", "NV-9", Code.NVIDIA_FWID, plain(given(opaque={"fwid": None}))),
]
MANIFESTS: list[tuple[str, str, Made]] = [
    ("a driver", "NV-10 NV-11 NV-12", plain(manifest())),
    ("alternatives", "NV-12", plain(manifest(golden={7: [bytes(48), b"\x01" * 48]}))),
    ("one that is not active", "NV-12", plain(manifest(inactive=frozenset({7})))),
    ("statuses", "NV-11", lambda: manifest(responses=GPU.rim_ocsp(), required=True)),
]
FALSE_MANIFESTS: list[tuple[str, str, Code, Made]] = [
    ("a document type", "NV-10", Code.NVIDIA_XML, plain(manifest(edited=lambda whole: b"<!DOCTYPE x>" + whole))),
    ("seventeen namespaces", "NV-10", Code.NVIDIA_XML, plain(manifest(edited=lambda whole: crowded(whole, 'xmlns:n{}="u"', 17)))),
    ("65 attributes", "NV-10", Code.NVIDIA_XML, plain(manifest(edited=lambda whole: crowded(whole, 'n{}=""', 65)))),
    ("a part of the document", "NV-10", Code.NVIDIA_XML, plain(edited('URI=""', 'URI="#x"'))),
    ("SHA-256", "NV-10", Code.NVIDIA_XML, plain(edited(nvidia_rim.DIGEST, nvidia_rim.DIGEST.replace("384", "256")))),
    ("a document around it", "NV-10", Code.NVIDIA_XML, plain(manifest(edited=lambda whole: HEAD.encode() + whole + TAIL.encode()))),
    ("no signature", "NV-10", Code.NVIDIA_XML, plain(edited("Signature", "Signed"))),
    ("another key", "NV-11", Code.NVIDIA_RIM_SIGNATURE, plain(manifest(key=OTHER))),
    ("another text", "NV-11", Code.NVIDIA_RIM_SIGNATURE, plain(edited('tagId="simulated"', 'tagId="somebody"'))),
    ("the root of devices", "NV-11", Code.X509_ROOT, plain(manifest(certificates=GPU.certificates()))),
    ("a signer that ended", "NV-11", Code.X509_EXPIRED, plain(manifest(leaf={"not_after": NOW - DAY}))),
    ("a revoked signer", "NV-11", Code.NVIDIA_REVOKED, lambda: manifest(responses=GPU.rim_ocsp(state=REVOKED))),
    (
        "a signer on hold",
        "NV-11",
        Code.NVIDIA_HOLD,
        lambda: manifest(responses=GPU.rim_ocsp(state=REVOKED, reason=ReasonFlags.certificate_hold)),
    ),
    ("a digest of 32 bytes", "NV-12", Code.NVIDIA_RIM, plain(manifest(golden={7: [bytes(32)]}))),
    ("too many alternatives", "NV-12", Code.NVIDIA_RIM, plain(manifest(golden={7: [bytes(48)] * 33}))),
]
ACCEPTABLE: list[tuple[str, str, Made]] = [
    ("strict", "NV-14 NV-15 NV-16 NV-17 NV-18", plain(judged())),
    (
        "listed",
        "NV-18 NV-19",
        plain(
            judged(
                {
                    "driver_versions": [nvidia.DRIVER],
                    "vbios_versions": [nvidia.VBIOS],
                    "devices": [GPU.leaf_key_sha256.hex()],
                    "protected_pcie": False,
                }
            )
        ),
    ),
    ("nvdec0 is off", "NV-17", plain(judged(blocks=[*BLOCKS[:3], nvidia_spdm.block(36, bytes(48))]))),
    ("no manifests, by name", "NV-16", plain(judged({"allow_missing_manifests": "unsafe_ignored"}, items={}))),
    (
        "a hold, by name",
        "NV-15",
        lambda: judged(
            {"allow_hold": "unsafe_ignored", "allow_missing_manifests": "unsafe_ignored"},
            items={},
            responses=GPU.ocsp(state=REVOKED, reason=ReasonFlags.certificate_hold),
        ),
    ),
]
UNACCEPTABLE: list[tuple[str, str, Code, Made]] = [
    ("a manifest of somebody", "NV-13 NV-14", Code.NVIDIA_RIM_SIGNATURE, plain(judged(items=rims(driver={"key": OTHER})))),
    (
        "a hold",
        "NV-15",
        Code.NVIDIA_HOLD,
        lambda: judged(
            {"allow_missing_manifests": "unsafe_ignored"},
            items={},
            responses=GPU.ocsp(state=REVOKED, reason=ReasonFlags.certificate_hold),
        ),
    ),
    ("no driver manifest", "NV-16", Code.NVIDIA_RIM_MISSING, plain(judged(items={"rim-vbios": rims()["rim-vbios"]}))),
    ("a manifest of another driver", "NV-16", Code.NVIDIA_RIM_VERSION, plain(judged(items=rims(driver={"version": "1.0"})))),
    (
        "a manifest without active measurements",
        "NV-16",
        Code.NVIDIA_RIM,
        plain(judged(items=rims(driver={"inactive": frozenset(DRIVER)}))),
    ),
    ("another measurement", "NV-17", Code.NVIDIA_MEASUREMENT, plain(judged(blocks=[nvidia_spdm.block(1, bytes(48)), *BLOCKS[1:]]))),
    (
        "nvdec0 is on",
        "NV-17",
        Code.NVIDIA_MEASUREMENT,
        plain(judged(blocks=[*BLOCKS[:3], nvidia_spdm.block(36, bytes(48))], opaque={"nvdec0_status": b"\xaa"})),
    ),
    ("an index in both", "NV-17", Code.NVIDIA_MEASUREMENT, plain(judged(items=rims(driver={"golden": {0: [SHORT[1]]}})))),
    ("another architecture", "NV-18", Code.NVIDIA_ARCHITECTURE, plain(judged({"architectures": ["GB100"]}))),
    ("another driver", "NV-18", Code.NVIDIA_DRIVER, plain(judged({"driver_versions": ["1.0"]}))),
    ("another vbios", "NV-18", Code.NVIDIA_VBIOS, plain(judged({"vbios_versions": ["1.0"]}))),
    ("another device", "NV-18", Code.NVIDIA_DEVICE, plain(judged({"devices": ["00" * 32]}))),
    ("another mode", "NV-19", Code.NVIDIA_MODE, plain(judged({"protected_pcie": True}))),
]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"] for case in previous["cases"]} if previous else {}
    return {
        "spec": "spec/07g-nvidia.md",
        "generator": "scripts/vectors/nvidia.py",
        "provenance": PROVENANCE,
        "cases": [
            *_accepting("authenticate", GENUINE, kept),
            *_rejecting("authenticate", LIES, kept),
            *_accepting("manifest", MANIFESTS, kept),
            *_rejecting("manifest", FALSE_MANIFESTS, kept),
            *_accepting("validate", ACCEPTABLE, kept),
            *_rejecting("validate", UNACCEPTABLE, kept),
        ],
    }


def _settled(identifier: str, made: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """What rebuilds is made anew; an input with responses is the committed one."""
    random = made.get("ocsp") or made.get("endorsements", {}).get("ocsp")
    return kept.get(identifier, made) if random else made


def _accepting(op: str, cases: list[tuple[str, str, Made]], kept: dict[str, Any]) -> Iterator[Case]:
    for what, musts, make in cases:
        identifier = f"nvidia-{op}-accept-{slug(what)}"
        yield accept(identifier, musts, f"nvidia.{op}", _settled(identifier, make(), kept))


def _rejecting(op: str, cases: list[tuple[str, str, Code, Made]], kept: dict[str, Any]) -> Iterator[Case]:
    for what, musts, code, make in cases:
        identifier = f"nvidia-{op}-reject-{slug(what)}"
        yield reject(identifier, musts, f"nvidia.{op}", _settled(identifier, make(), kept), code)
