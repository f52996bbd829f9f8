"""vectors/07d-nitro.json. Keys follow from labels and signatures are deterministic: the file rebuilds byte for byte."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from confide.attest.evidence import Kind
from confide.codes import Code
from confide.formats.fields import format_time
from confide_sim import aws, x509
from confide_sim.aws import FalseHost, Raw
from scripts.vectors._cases import accept, reject
from scripts.vectors.tpm import slug

Case = dict[str, Any]

PROVENANCE = (
    "Made by scripts/vectors/nitro.py with the false AWS of confide-sim, whose private keys are public; every certificate says "
    "SIMULATED. Keys follow from labels, and signatures are deterministic."
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BINDING = bytes(range(64))
OTHER = ec.derive_private_key(7, ec.SECP384R1())
HOSTS = {kind: FalseHost(kind, at=NOW, seed=b"vectors") for kind in (Kind.NITRO, Kind.NITROTPM)}
NITRO, NITROTPM = HOSTS
ZEROS = {index: bytes(48) for index in range(16)}
MAY_NOT_SIGN = (x509.basic_constraints(ca=True, path_length=1), x509.key_usage(digital_signature=True))


def given(kind: Kind = NITRO, *, document: bytes | None = None, root: bytes | None = None, **overrides: Any) -> dict[str, Any]:
    """The input of `nitro.authenticate`; `overrides` are fields of the document."""
    made = HOSTS[kind].document(**{"user_data": BINDING, **overrides}) if document is None else document
    return {"kind": kind.value, "document": made.hex(), "roots": [(root or aws.root_certificate()).hex()], "now": format_time(NOW)}


def said(**message: Any) -> dict[str, Any]:
    """The same, with fields of the message replaced."""
    return given(message=message)


def judged(kind: Kind = NITRO, *, constraints: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The input of `nitro.validate`: an entry that names what runs, unless `constraints` say else."""
    index = 0 if kind is NITRO else 4
    usual = {"pcrs": {str(index): [HOSTS[kind].pcrs()[index].hex()]}}
    binding = more.pop("binding", None)
    value = {**given(kind, **more), "constraints": {**usual, **(constraints or {})}}
    return value if binding is None else {**value, "binding": binding.hex()}


def milliseconds(moment: datetime) -> int:
    """As documents count."""
    return round(moment.timestamp() * 1000)


WHOLE = HOSTS[NITRO].document(user_data=BINDING)
GENUINE: list[tuple[str, str, dict[str, Any]]] = [
    ("an enclave", "NIT-1 NIT-2 NIT-3 NIT-4 NIT-5 NIT-6 NIT-7 NIT-8 NIT-8a NIT-9 NIT-10 NIT-11", given()),
    ("an instance", "NIT-4 NIT-5", given(NITROTPM)),
    ("a tag", "NIT-2", said(tag=18)),
    ("no user data", "NIT-5", given(user_data=None)),
    ("a time five minutes ahead", "NIT-10", given(timestamp=milliseconds(NOW + 5 * MINUTE))),
]
LIES: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("a byte behind", "NIT-1", Code.CBOR_MALFORMED, given(document=WHOLE + b"\x00")),
    ("cut short", "NIT-1", Code.CBOR_MALFORMED, given(document=WHOLE[:-1])),
    ("too large", "NIT-1", Code.CBOR_TOO_LARGE, given(document=b"\x5a\x00\x01\x00\x00" + bytes(1 << 16))),
    ("a member twice", "NIT-1", Code.CBOR_MALFORMED, given(public_key=Raw(b"\xf6" + aws.cbor("nonce") + b"\xf6"))),
    ("tag 17", "NIT-2", Code.COSE_SHAPE, said(tag=17)),
    ("an unprotected algorithm", "NIT-2", Code.COSE_SHAPE, said(protected={}, unprotected={1: -35})),
    ("ES256", "NIT-3", Code.COSE_ALGORITHM, said(protected={1: -7})),
    ("no algorithm", "NIT-3", Code.COSE_ALGORITHM, said(protected={})),
    ("critical headers", "NIT-3", Code.COSE_SHAPE, said(protected={1: -35, 2: [4], 4: b"key"})),
    ("an enclave as an instance", "NIT-4", Code.NITRO_KIND, {**given(), "kind": "nitrotpm"}),
    ("an instance as an enclave", "NIT-4", Code.NITRO_KIND, {**given(NITROTPM), "kind": "nitro"}),
    ("both kinds of PCRs", "NIT-4", Code.NITRO_KIND, given(nitrotpm_pcrs={4: bytes(48)})),
    ("an unknown member", "NIT-5", Code.NITRO_DOCUMENT, given(extra=1)),
    ("a PCR of 32 bytes", "NIT-5", Code.NITRO_DOCUMENT, given(pcrs={0: bytes(32)})),
    ("PCR32", "NIT-5", Code.NITRO_DOCUMENT, given(pcrs={32: bytes(48)})),
    ("no time", "NIT-5", Code.NITRO_DOCUMENT, given(timestamp=0)),
    ("user data of 1025 bytes", "NIT-5", Code.NITRO_DOCUMENT, given(user_data=bytes(1025))),
    ("no certificates", "NIT-5", Code.NITRO_DOCUMENT, given(cabundle=[])),
    ("a root twice", "NIT-8a", Code.X509_REPEATED, given(cabundle=[aws.root_certificate(), *HOSTS[NITRO].bundle()])),
    ("SHA256", "NIT-6", Code.NITRO_DIGEST, given(digest="SHA256")),
    ("another root", "NIT-7", Code.X509_ROOT, given(root=aws.issue("another", "another", "another", signer="another"))),
    ("a bundle without its root", "NIT-7", Code.X509_ROOT, given(cabundle=HOSTS[NITRO].bundle()[1:])),
    ("no authority", "NIT-8", Code.X509_BASIC_CONSTRAINTS, given(certificates={"zonal": {"extensions": aws.end_entity()}})),
    ("an authority that may not sign", "NIT-8", Code.X509_KEY_USAGE, given(certificates={"zonal": {"extensions": MAY_NOT_SIGN}})),
    ("a leaf that is an authority", "NIT-8", Code.X509_BASIC_CONSTRAINTS, given(leaf={"extensions": aws.authority()})),
    ("another issuer", "NIT-9", Code.X509_ISSUER, given(certificates={"zonal": {"issuer": aws.name("somebody")}})),
    ("another signer", "NIT-9", Code.X509_SIGNATURE, given(certificates={"zonal": {"key": OTHER}})),
    (
        "an authority of P-256",
        "NIT-9",
        Code.X509_ISSUER_KEY,
        given(certificates={"instance": {"public_key": x509.spki(ec.derive_private_key(7, ec.SECP256R1()))}}),
    ),
    (
        "SHA-256 in the chain",
        "NIT-9",
        Code.X509_SIGNATURE_ALGORITHM,
        given(certificates={"zonal": {"algorithm": aws.ecdsa("sha256")}}),
    ),
    ("a leaf that ended", "NIT-10", Code.X509_EXPIRED, given(leaf={"not_after": NOW - MINUTE})),
    ("a leaf of tomorrow", "NIT-10", Code.X509_NOT_YET_VALID, given(leaf={"not_before": NOW + MINUTE})),
    ("a time before the leaf", "NIT-10", Code.NITRO_TIMESTAMP, given(timestamp=milliseconds(NOW - 2 * MINUTE))),
    ("a time six minutes ahead", "NIT-10", Code.NITRO_TIMESTAMP, given(timestamp=milliseconds(NOW + 6 * MINUTE))),
    ("another key", "NIT-11", Code.COSE_SIGNATURE, said(key=OTHER)),
    ("SHA-256", "NIT-11", Code.COSE_SIGNATURE, said(digest=SHA256())),
    (
        "half a signature",
        "NIT-11",
        Code.COSE_SIGNATURE,
        given(document=HOSTS[NITRO].document(user_data=BINDING, message={"signature": lambda value: value[:48]})),
    ),
]
ACCEPTABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("strict", "NIT-12 NIT-13 NIT-17", judged(binding=BINDING)),
    ("an instance", "NIT-13", judged(NITROTPM)),
    (
        "a listed instance, region and age",
        "NIT-14 NIT-15 NIT-16",
        judged(constraints={"instance_ids": [HOSTS[NITRO].instance_id], "regions": [aws.REGION], "maximum_age_minutes": 1}),
    ),
    ("debug mode, by name", "NIT-12", judged(pcrs=ZEROS, constraints={"pcrs": "unsafe_ignored", "allow_debug": "unsafe_ignored"})),
]
UNACCEPTABLE: list[tuple[str, str, Code, dict[str, Any]]] = [
    ("debug mode", "NIT-12", Code.NITRO_DEBUG, judged(pcrs=ZEROS, constraints={"pcrs": {"0": ["00" * 48]}})),
    ("another PCR0", "NIT-13", Code.NITRO_PCR, judged(constraints={"pcrs": {"0": ["00" * 48]}})),
    ("a PCR that is not there", "NIT-13", Code.NITRO_PCR, judged(NITROTPM, nitrotpm_pcrs={7: bytes(48)})),
    ("another instance", "NIT-14", Code.NITRO_PLATFORM, judged(constraints={"instance_ids": ["i-00000000"]})),
    ("another region", "NIT-15", Code.NITRO_REGION, judged(constraints={"regions": ["us-east-1"]})),
    (
        "an old document",
        "NIT-16",
        Code.NITRO_AGE,
        {**judged(constraints={"maximum_age_minutes": 1}), "now": format_time(NOW + 2 * MINUTE)},
    ),
    ("another binding", "NIT-17", Code.BINDING_MISMATCH, judged(binding=bytes(64))),
]


def build(_: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    return {
        "spec": "spec/07d-nitro.md",
        "generator": "scripts/vectors/nitro.py",
        "provenance": PROVENANCE,
        "cases": [
            *_accepting("authenticate", GENUINE),
            *_rejecting("authenticate", LIES),
            *_accepting("validate", ACCEPTABLE),
            *_rejecting("validate", UNACCEPTABLE),
        ],
    }


def _accepting(op: str, cases: list[tuple[str, str, dict[str, Any]]]) -> Iterator[Case]:
    for what, musts, value in cases:
        yield accept(f"nitro-{op}-accept-{slug(what)}", musts, f"nitro.{op}", value)


def _rejecting(op: str, cases: list[tuple[str, str, Code, dict[str, Any]]]) -> Iterator[Case]:
    for what, musts, code, value in cases:
        yield reject(f"nitro-{op}-reject-{slug(what)}", musts, f"nitro.{op}", value, code)
