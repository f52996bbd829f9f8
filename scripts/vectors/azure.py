"""vectors/07f-azure.json. HCL reports for parsing rebuild; signed ones are random and kept from the committed file."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from confide.attest.evidence import Kind
from confide.attest.snp.layout import Product
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import azure, tpm_structures
from confide_sim.amd import FalseAmd, FalseChip
from confide_sim.azure import FalseVm, jwk, runtime
from confide_sim.tpm import asset_key
from scripts.vectors._cases import accept, reject
from scripts.vectors.tpm import slug

Case = dict[str, Any]
Made = Callable[[], dict[str, Any]]

PROVENANCE = (
    "Made by scripts/vectors/azure.py with the false AMD and the false TPMs of confide-sim, whose private keys are public; every "
    "certificate says SIMULATED. Signatures are random, so signed inputs are kept from the committed file and verified again."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXTRA = bytes(range(32))
KEY: rsa.RSAPrivateKey = asset_key("azure_signer")  # any RSA 2048 key that does not change
OTHER: rsa.RSAPrivateKey = asset_key("google_signer")
QUOTED = (0, 4, 7)
NO_QUOTE: dict[str, bytes | None] = dict.fromkeys(("tpm-attest", "tpm-signature", "pcrs"))
VM = FalseVm(at=NOW, chip=FalseChip(Product.MILAN, at=NOW, chip_id=bytes(range(1, 65))), key=KEY)
PCRS = {index: VM.tpm.pcrs()[index] for index in QUOTED}


def signed(*, kind: Kind = Kind.AZ_SNP_VTPM, constraints: dict[str, Any] | None = None, log: bool = False, **evidence: Any) -> Made:
    """The input of `azure.authenticate`, or with `constraints` of `azure.validate`; `evidence` are overrides."""

    def make() -> dict[str, Any]:
        items: dict[str, Any] = {"pcrs": tpm_structures.pcrs_json(PCRS), **evidence.pop("items", {})}
        items |= {} if log else {"event-log": None}
        given = {"extra_data": EXTRA, "indexes": QUOTED, "hcl": {"size": 0}, **evidence}
        found = VM.items(items=items, **given)
        value: dict[str, Any] = {
            "kind": kind.value,
            "evidence": {role: data.hex() for role, data in found.items()},
            "endorsements": {role: data.hex() for role, data in VM.endorsements(crl=False, ark=None).items.items()},
            "roots": [FalseAmd().ark.hex()],
            "now": format_time(NOW),
            "revocation": {"required": False},
        }
        return value if constraints is None else {**value, "constraints": {**LISTED, **constraints}}

    return make


def parsed(data: bytes | None = None, *, edited: Callable[[bytes], bytes] = lambda file: file, **fields: Any) -> dict[str, Any]:
    """The input of `azure.parse`."""
    file = azure.hcl_report(bytes(1184), runtime(KEY) if data is None else data, **{"size": 0, **fields})
    return {"report": edited(file).hex(), "type": "SNP"}


def said(**members: Any) -> dict[str, Any]:
    """The same, with members of the runtime data replaced."""
    return parsed(runtime(KEY, **members))


SNP = {"measurements": ["5a" * 48], "minimum_tcb": "unsafe_ignored"}
LISTED: dict[str, Any] = {"pcrs": {str(index): [value.hex()] for index, value in PCRS.items()}, "snp": SNP}

READABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("version 2, SHA-256", "AZ-1 AZ-2 AZ-3 AZ-4", parsed()),
    ("version 1", "AZ-1", parsed(version=1)),
    ("SHA-384", "AZ-2", parsed(hash_type=2)),
    ("zeros at the end", "AZ-2", parsed(size=2600)),
    ("no user data", "AZ-3", said(user_data=None)),
    ("a key of another type beside", "AZ-4", said(keys=[jwk("HCLAkPub", KEY, key_ops=["encrypt"]), {"kid": "x", "kty": "EC"}])),
]
UNREADABLE: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("a short file", "AZ-1", Code.AZURE_HCL, parsed(edited=lambda file: file[:0x4D3])),
    ("another signature", "AZ-1", Code.AZURE_HCL, parsed(signature=b"HCLB")),
    ("version 3", "AZ-1", Code.AZURE_HCL, parsed(version=3)),
    ("status 1", "AZ-1", Code.AZURE_HCL, parsed(status=1)),
    ("a report of TDX", "AZ-2", Code.AZURE_HCL, parsed(report_type=4)),
    ("hash type 4", "AZ-2", Code.AZURE_HCL, parsed(edited=lambda file: file[:0x4CC] + b"\x04" + file[0x4CD:])),
    ("inner version 2", "AZ-2", Code.AZURE_HCL, parsed(data_version=2)),
    ("runtime data beyond the end", "AZ-2", Code.AZURE_HCL, parsed(edited=lambda file: file[:-1])),
    ("another outer size", "AZ-2", Code.AZURE_HCL, parsed(report_size=1)),
    ("another inner size", "AZ-2", Code.AZURE_HCL, parsed(data_size=1)),
    ("bytes behind the runtime data", "AZ-2", Code.AZURE_HCL, parsed(edited=lambda file: file + b"\x01")),
    ("a list", "AZ-3", Code.AZURE_RUNTIME, parsed(b"[]")),
    ("a member twice", "AZ-3", Code.AZURE_RUNTIME, parsed(runtime(KEY)[:-1] + b',"keys":[]}')),
    ("no keys", "AZ-3", Code.AZURE_RUNTIME, said(keys=[])),
    ("user data of 63 bytes", "AZ-3", Code.AZURE_RUNTIME, said(user_data="00" * 63)),
    ("no attestation key", "AZ-4", Code.AZURE_RUNTIME, said(keys=[jwk("HCLEkPub", KEY)])),
    ("a key twice", "AZ-4", Code.AZURE_RUNTIME, said(keys=[jwk("HCLAkPub", KEY), jwk("HCLAkPub", OTHER)])),
    ("a modulus in another alphabet", "AZ-4", Code.AZURE_RUNTIME, said(keys=[jwk("HCLAkPub", KEY, n="!!!!")])),
]
GENUINE: list[tuple[str, str, Made]] = [
    ("a quote and a log", "AZ-5 AZ-6 AZ-7 AZ-8 AZ-9", signed(log=True)),
    ("no quote", "AZ-7", signed(items=NO_QUOTE)),
]
LIES: list[tuple[str, str, Code, Made]] = [
    ("a report edited", "AZ-5", Code.SNP_SIGNATURE, signed(hardware={"edited": {"measurement": bytes(48)}})),
    (
        "a td report alone",
        "AZ-5",
        Code.AZURE_TDREPORT,
        signed(kind=Kind.AZ_TDX_VTPM, hcl={"report_type": 4, "size": 0}, items=NO_QUOTE),
    ),
    (
        "a configuration edited",
        "AZ-6",
        Code.AZURE_BINDING,
        signed(edited=lambda file: file.replace(b'"secure-boot":true', b'"secure-boot":null')),
    ),
    ("bytes behind the hash", "AZ-6", Code.AZURE_BINDING, signed(report_data=azure.covered(runtime(KEY))[:32] + b"\x01" * 32)),
    ("no signature", "AZ-7", Code.EVIDENCE_MISSING, signed(items={"tpm-signature": None})),
    ("another magic", "AZ-8", Code.TPM_MAGIC, signed(magic=b"XXXX")),
    ("a bare signature", "AZ-8", Code.TPM_SCHEME, signed(items={"tpm-signature": bytes(256)})),
    ("an attestation key of exponent 3", "AZ-8", Code.TPM_KEY, signed(data=runtime(KEY, keys=[jwk("HCLAkPub", KEY, e="Aw")]))),
    ("a quote by another key", "AZ-8", Code.TPM_SIGNATURE, signed(key=OTHER)),
    ("a PCR edited", "AZ-9", Code.TPM_PCR_DIGEST, signed(items={"pcrs": tpm_structures.pcrs_json(PCRS | {4: bytes(32)})})),
]
ACCEPTABLE: list[tuple[str, str, Made]] = [
    ("strict", "AZ-10 AZ-11 AZ-12 AZ-13", signed(constraints={})),
    ("a listed machine", "AZ-14", signed(constraints={"vm_ids": ["00000000-0000-4000-8000-51ed51ed51ed"]})),
    ("no quote, by name", "AZ-11", signed(items=NO_QUOTE, constraints={"allow_no_quote": "unsafe_ignored"})),
]
UNACCEPTABLE: list[tuple[str, str, Code, Made]] = [
    ("another measurement", "AZ-10", Code.SNP_MEASUREMENT, signed(constraints={"snp": {**SNP, "measurements": ["00" * 48]}})),
    ("no quote", "AZ-11", Code.AZURE_QUOTE, signed(items=NO_QUOTE, constraints={})),
    ("another PCR", "AZ-12", Code.TPM_PCR, signed(constraints={"pcrs": {"4": ["00" * 32]}})),
    (
        "Secure Boot off",
        "AZ-13",
        Code.AZURE_SECURE_BOOT,
        signed(data=runtime(KEY, configuration={"secure-boot": False}), constraints={}),
    ),
    ("the TPM off", "AZ-13", Code.AZURE_SECURE_BOOT, signed(data=runtime(KEY, configuration={"tpm-enabled": 1}), constraints={})),
    ("the console on", "AZ-13", Code.AZURE_SECURE_BOOT, signed(constraints={"console": False})),
    ("another machine", "AZ-14", Code.AZURE_VM_ID, signed(constraints={"vm_ids": ["0"]})),
]


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"] for case in previous["cases"]} if previous else {}
    return {
        "spec": "spec/07f-azure.md",
        "generator": "scripts/vectors/azure.py",
        "provenance": PROVENANCE,
        "cases": [
            *_accepting("parse", ((what, musts, lambda given=given: given) for what, musts, given in READABLE), {}),
            *_rejecting("parse", ((what, musts, code, lambda given=given: given) for what, musts, code, given in UNREADABLE), {}),
            *_accepting("authenticate", GENUINE, kept),
            *_rejecting("authenticate", LIES, kept),
            *_accepting("validate", ACCEPTABLE, kept),
            *_rejecting("validate", UNACCEPTABLE, kept),
        ],
    }


def _accepting(op: str, cases: Any, kept: dict[str, Any]) -> Iterator[Case]:
    """Signed inputs are made once: the identifier names what lies in them, and a new lie needs a new identifier."""
    for what, musts, make in cases:
        identifier = f"azure-{op}-accept-{slug(what)}"
        yield accept(identifier, musts, f"azure.{op}", kept.get(identifier) or make())


def _rejecting(op: str, cases: Any, kept: dict[str, Any]) -> Iterator[Case]:
    for what, musts, code, make in cases:
        identifier = f"azure-{op}-reject-{slug(what)}"
        yield reject(identifier, musts, f"azure.{op}", kept.get(identifier) or make(), code)
