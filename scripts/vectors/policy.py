"""Makes `vectors/06-policy.json`: one policy in which one thing at a time is different. All of it is deterministic."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import tomli_w
from tests.policy.world import CONFIG, MEASUREMENT, OWNED, OWNER, POLICY_SIGNER, STRANGER, members

from confide.codes import Code
from confide.formats import dsse
from confide.policy.load import MAX_POLICY, sign_policy
from confide.policy.model import PAYLOAD_TYPE
from scripts.vectors._cases import accept, reject

OP = "policy.load"
UNSAFE = "unsafe_ignored"
SIGNER = f"ed25519:{POLICY_SIGNER.public.raw.hex()}"


def text(**overrides: Any) -> bytes:
    """The policy in JSON."""
    return json.dumps(members(**overrides)).encode()


def given(data: bytes | None = None, *, keys: tuple[str, ...] = (), **overrides: Any) -> dict[str, Any]:
    """The input for a text, by default that of the valid policy with changes."""
    return {"policy": (text(**overrides) if data is None else data).hex(), "keys": list(keys)}


def build(previous: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG001 - nothing here is random
    """The whole file."""
    return {
        "spec": "spec/06-policy.md",
        "generator": "scripts/vectors/policy.py",
        "provenance": "One policy for an imaginary node, written for this file in TOML, JSON and DSSE; seeds of keys are 32 equal "
        "bytes. Every rejecting case differs from an accepted one in what its id names.",
        "cases": [*_accepted(), *_texts(), *_absent(), *_members(), *_signatures()],
    }


def _accepted() -> Iterator[dict[str, Any]]:
    toml = members() | {"expires": datetime(2026, 12, 31, tzinfo=UTC)}
    everything = "POL-1 POL-2 POL-3 POL-4 POL-5 POL-7 POL-9"
    yield accept("policy-accept-json", everything, OP, given())
    yield accept("policy-accept-toml", everything, OP, given(tomli_w.dumps(toml).encode()))
    yield accept("policy-accept-largest", "POL-1", OP, given() | {"spaces": MAX_POLICY - len(text())})
    yield accept("policy-accept-white-space-before", "POL-1", OP, given(b" \t\r\n" + text()))
    yield accept("policy-accept-minimal", "POL-3 POL-4", OP, given(require=None, models=None, unsafe_accept_simulated=None))
    yield accept("policy-accept-owned", "POL-8", OP, given(**OWNED))
    yield accept("policy-accept-owned-places", "POL-8", OP, given(require__admission=True, require__places=["Paris"], **OWNED))
    yield accept("policy-accept-owned-without-admission", "POL-7 POL-8", OP, given(require__admission=UNSAFE, **OWNED))
    yield accept("policy-accept-everything-named", "POL-3 POL-9 POL-11", OP, given(**_everything()))
    yield accept("policy-accept-everything-skipped", "POL-4 POL-7", OP, given(**_skipped()))
    signed = sign_policy(text(), keys=(STRANGER, POLICY_SIGNER))
    yield accept("policy-accept-signed", "POL-6 POL-10", OP, given(signed, keys=(SIGNER,)))
    first = sign_policy(text(origin="first-use"), keys=(POLICY_SIGNER,))
    yield accept("policy-accept-signed-first-use", "POL-6", OP, given(first, keys=(SIGNER,)))
    release = sign_policy(text(), keys=(POLICY_SIGNER,))
    yield accept("policy-accept-release", "POL-10", OP, given(_origin_release(release), keys=(SIGNER,)))


def _origin_release(envelope: bytes) -> bytes:
    """The same policy, signed with `origin = "release"` spelled out."""
    payload = json.loads(dsse.unverified_payload(envelope, payload_type=PAYLOAD_TYPE)) | {"origin": "release"}
    return dsse.sign(json.dumps(payload).encode(), payload_type=PAYLOAD_TYPE, keys=(POLICY_SIGNER,))


def _everything() -> dict[str, Any]:
    entry = {
        "tee": "snp",
        "measurements": [MEASUREMENT.hex(), "00" * 48],
        "minimum_tcb": {
            "Genoa": {"boot_loader": 10, "tee": 0, "snp": 25, "microcode": 84},
            "Turin": {"fmc": 0, "boot_loader": 1, "tee": 0, "snp": 2, "microcode": 71},
        },
        "products": ["Genoa", "Turin"],
        "signing_keys": ["vcek", "vlek"],
        "csp_ids": ["CN=cloud.example"],
        "max_vmpl": 2,
        "minimum_abi": [1, 55],
        "minimum_guest_svn": 7,
        "smt": False,
        "platform_info": ["alias_check_complete", "ecc_en"],
        "host_data": ["01" * 32],
        "id_key_digests": ["02" * 48],
        "author_key_digests": ["03" * 48],
        "family_ids": ["04" * 16],
        "image_ids": ["05" * 16],
        "report_ids": ["06" * 32],
        "chip_ids": ["07" * 64],
    }
    return {
        "accept": [entry],
        "node__role": "broker",
        "node__authority_key": f"ed25519:{OWNER.public.raw.hex()}",
        "node__isolation": ["worker-process", "in-process"],
        "require": {
            "post_quantum": True,
            "receipts": True,
            "log_proof": True,
            "client_nonce": True,
            "admission": True,
            "places": ["Paris, rack 4"],
            "pool": "shared",
            "max_crl_age": "30d",
            "collateral_grace": "12h",
        },
        "origin": "first-use",
    }


def _skipped() -> dict[str, Any]:
    entry = {"tee": "snp", "measurements": UNSAFE, "minimum_tcb": UNSAFE, "allow_debug": UNSAFE, "allow_migration": UNSAFE}
    flags = dict.fromkeys(("post_quantum", "receipts", "client_nonce", "admission", "max_crl_age"), UNSAFE)
    node = dict.fromkeys(("authority_key", "config_digests", "software_digests"), UNSAFE)
    return {"accept": [entry], "node": {"role": "node"} | node, "require": flags}


def _texts() -> Iterator[dict[str, Any]]:
    texts = {
        "not-utf-8": b"version = 1 # \xff",
        "json-truncated": text()[:-1],
        "json-trailing": text() + b"x",
        "json-duplicate-member": text()[:-1] + b', "version": 1}',
        "json-list": b"[1, 2]",
        "toml-duplicate-member": b"version = 1\nversion = 1\n",
        "toml-nested-without-end": b"a = " + b"[" * 2000,
    }
    for name, data in texts.items():
        yield reject(f"policy-{name}", "POL-1", OP, given(data), Code.POLICY_MALFORMED)
    oversized = given() | {"spaces": MAX_POLICY - len(text()) + 1}
    yield reject("policy-too-large", "POL-1", OP, oversized, Code.POLICY_MALFORMED)
    yield reject("policy-version-2-with-unknown-member", "POL-2", OP, given(version=2, more=1), Code.POLICY_VERSION)
    yield reject("policy-version-0", "POL-2", OP, given(version=0), Code.POLICY_VERSION)
    yield reject("policy-version-true", "POL-2", OP, given(version=True), Code.POLICY_SHAPE)
    yield reject("policy-version-absent", "POL-2", OP, given(version=None), Code.POLICY_SHAPE)
    local = tomli_w.dumps(members() | {"expires": datetime(2026, 12, 31)}).encode()  # noqa: DTZ001 - the defect under test
    yield reject("policy-toml-local-time", "POL-3", OP, given(local), Code.POLICY_SHAPE)


def _absent() -> Iterator[dict[str, Any]]:
    for name in (
        "accept",
        "accept__measurements",
        "accept__minimum_tcb",
        "node",
        "node__role",
        "node__authority_key",
        "node__config_digests",
        "node__software_digests",
    ):
        yield reject(f"policy-without-{_slug(name)}", "POL-4", OP, given(**_one(name, None)), Code.POLICY_UNCONSTRAINED)
    yield reject("policy-accept-list-empty", "POL-4", OP, given(accept=[]), Code.POLICY_UNCONSTRAINED)
    for name in ("name", "serial", "expires"):
        yield reject(f"policy-without-{name}", "POL-3", OP, given(**_one(name, None)), Code.POLICY_SHAPE)
    for key in ("none", UNSAFE):
        case = given(require__admission=True, node__authority_key=key)
        yield reject(f"policy-admission-with-authority-{_slug(key)}", "POL-8", OP, case, Code.POLICY_UNCONSTRAINED)


def _members() -> Iterator[dict[str, Any]]:
    tcb = {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}
    wrong: dict[str, tuple[str, Any]] = {
        "unknown-member": ("more", 1),
        "unknown-member-of-node": ("node__more", 1),
        "unknown-member-of-require": ("require__more", 1),
        "unknown-member-of-accept": ("accept__more", 1),
        "serial-0": ("serial", 0),
        "name-upper-case": ("name", "Demo"),
        "expires-with-offset": ("expires", "2026-12-31T00:00:00+01:00"),
        "measurement-short": ("accept__measurements", ["5a" * 47]),
        "measurement-upper-case": ("accept__measurements", ["5A" * 48]),
        "measurements-empty": ("accept__measurements", []),
        "config-digest-as-text": ("node__config_digests", CONFIG.hex()),
        "allow-debug-true": ("accept__allow_debug", True),
        "authority-key-short": ("node__authority_key", "ed25519:00"),
        "isolation-unknown": ("node__isolation", ["none"]),
        "pool-unknown": ("require__pool", "any"),
        "age-in-weeks": ("require__max_crl_age", "1w"),
        "model-without-digests": ("models", {"minilm": []}),
        "origin-unknown": ("origin", "hearsay"),
    }
    for name, (member, value) in wrong.items():
        yield reject(f"policy-{name}", "POL-3", OP, given(**_one(member, value)), Code.POLICY_SHAPE)
    yield reject("policy-tee-unknown", "POL-5", OP, given(accept__tee="abacus"), Code.POLICY_TEE)
    yield reject("policy-tee-absent", "POL-5", OP, given(accept__tee=None), Code.POLICY_TEE)
    for flag in ("post_quantum", "receipts", "client_nonce", "admission"):
        case = given(**_one(f"require__{flag}", False))
        yield reject(f"policy-{_slug(flag)}-false", "POL-7", OP, case, Code.POLICY_SHAPE)
    for name, value in (("false", False), ("unsafe", UNSAFE), ("as-text", "true")):
        yield reject(f"policy-log-proof-{name}", "POL-11", OP, given(require__log_proof=value), Code.POLICY_SHAPE)
    alone = given(require__log_proof=True, require__receipts=UNSAFE)
    yield reject("policy-log-proof-without-receipts", "POL-11", OP, alone, Code.POLICY_SHAPE)
    tables: dict[str, dict[str, Any]] = {
        "empty": {},
        "without-microcode": tcb | {"microcode": None},
        "milan-with-fmc": tcb | {"fmc": 0},
    }
    for name, table in tables.items():
        components = {component: value for component, value in table.items() if value is not None}
        case = given(accept__minimum_tcb={"Milan": components})
        yield reject(f"policy-minimum-tcb-{name}", "POL-9", OP, case, Code.POLICY_SHAPE)
    yield reject("policy-minimum-tcb-no-product", "POL-9", OP, given(accept__minimum_tcb={}), Code.POLICY_SHAPE)


def _signatures() -> Iterator[dict[str, Any]]:
    signed, stranger = sign_policy(text(), keys=(POLICY_SIGNER,)), sign_policy(text(), keys=(STRANGER,))
    changed = json.loads(signed) | {"payload": json.loads(sign_policy(text(serial=4), keys=(POLICY_SIGNER,)))["payload"]}
    other = dsse.sign(text(), payload_type="application/vnd.confide.admission+json", keys=(POLICY_SIGNER,))
    yield reject("policy-signed-by-a-stranger", "POL-6", OP, given(stranger, keys=(SIGNER,)), Code.POLICY_SIGNER)
    yield reject("policy-signed-and-changed", "POL-6", OP, given(json.dumps(changed).encode(), keys=(SIGNER,)), Code.POLICY_SIGNER)
    yield reject("policy-signed-but-no-keys-named", "POL-6", OP, given(signed), Code.POLICY_SIGNER)
    yield reject("policy-unsigned-where-keys-are-named", "POL-6", OP, given(keys=(SIGNER,)), Code.POLICY_SIGNER)
    yield reject("policy-signed-as-something-else", "POL-6", OP, given(other, keys=(SIGNER,)), Code.POLICY_MALFORMED)
    yield reject("policy-release-unsigned", "POL-10", OP, given(origin="release"), Code.POLICY_SHAPE)


def _one(member: str, value: Any) -> dict[str, Any]:
    return {member: value}


def _slug(name: str) -> str:
    return name.replace("__", "-").replace("_", "-")
