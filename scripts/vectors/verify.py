"""Makes `vectors/07-verify.json`: documents of a false node, and what a verifier says to each.

Chips' keys and vendors' signatures are random, so documents are taken over from the committed file, case by case; all else is made
anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.policy.world import (
    CONFIG,
    MEASUREMENT,
    NONCE,
    NOW,
    OTHERS,
    OWNED,
    OWNED_KEYS,
    RECEIPTS,
    STRANGER,
    X25519,
    World,
    admission,
    keyset,
    members,
    ml_dsa,
)

from confide.attest.binding import NO_NONCES
from confide.attest.keyset import Pool, Role
from confide.attest.snp.layout import Product
from confide.codes import Code
from confide.formats.fields import format_time
from confide.policy.rollback import RollbackState
from confide_sim.amd import FalseAmd, root
from scripts.vectors._cases import accept, reject

UNSAFE = "unsafe_ignored"
DEBUG = 0x30000 | 1 << 19
Make = Callable[[], bytes]


def world(**fields: Any) -> Make:
    """The document of a node in which these fields of `World` are different."""
    collateral = {"ark": None} | dict(fields.pop("collateral", {}))
    return lambda: World(collateral=collateral, **fields).document()


def changed(**members_: Any) -> Make:
    """The document of the plain node with these arguments of `build_document` different."""
    return lambda: World(collateral={"ark": None}).document(**members_)


PLAIN = world()


@dataclass(frozen=True)
class Case:
    """One case of an operation about a document; `expected` None means that it is accepted."""

    id: str
    musts: str
    make: Make = PLAIN
    expected: Code | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    op: str = "verify"
    more: Mapping[str, Any] = field(default_factory=dict)


def given(document: bytes, policy: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The input of `verify`."""
    milan = root(Product.MILAN)
    return {
        "document": document.hex(),
        "policy": json.dumps(members(**policy)).encode().hex(),
        "now": format_time(NOW),
        "nonce": NONCE.hex(),
        "roots": [{"kind": "snp", "name": milan.name, "der": milan.der.hex(), "simulated": milan.simulated}],
        "rollback": None,
    } | more


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = {case["id"]: case["input"].get("document") for case in previous["cases"]} if previous else {}
    made: dict[Make, bytes] = {}
    cases = [_write(case, kept, made) for case in (*_caller(), *_evidence(), *_node(), *_verdicts(), *_trust())]
    return {
        "spec": "spec/07-verify.md",
        "generator": "scripts/vectors/verify.py",
        "provenance": "Documents of an imaginary node whose vendor is the false AMD of confide-sim; chip's key and vendor's "
        "signatures are random, so documents are kept from the first run. Every rejecting case differs from an accepted one "
        "in what its id names.",
        "cases": [*cases, *_states()],
    }


def _write(case: Case, kept: Mapping[str, str], made: dict[Make, bytes]) -> dict[str, Any]:
    if case.id in kept:
        made.setdefault(case.make, bytes.fromhex(kept[case.id]))
    document = made.get(case.make) or made.setdefault(case.make, case.make())
    if case.id in kept:
        document = bytes.fromhex(kept[case.id])
    given_ = given(document, case.policy, **case.more)
    if case.expected is None:
        return accept(case.id, case.musts, case.op, given_)
    return reject(case.id, case.musts, case.op, given_, case.expected)


def at(delta: timedelta) -> dict[str, Any]:
    """Another time than the plain one."""
    return {"now": format_time(NOW + delta)}


def state(policies: dict[str, int] | None = None, keysets: dict[str, int] | None = None) -> dict[str, Any]:
    """A rollback state to start from."""
    return {"rollback": RollbackState(policies or {}, keysets or {}).to_json().hex()}


SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
EVERY = " ".join(f"VER-{number}" for number in (*range(1, 9), *range(10, 23), 24))


def _caller() -> Iterator[Case]:
    """VER-1 to VER-6."""
    yield Case("verify-accept", EVERY)
    yield Case("verify-time-without-zone", "VER-1", expected=Code.VERDICT_TIME, more={"now": "2026-11-25T12:00:00"})
    yield Case("verify-nonce-short", "VER-2", expected=Code.VERDICT_NONCE_FORM, more={"nonce": "01" * 31})
    yield Case("verify-nonce-zero", "VER-2", expected=Code.VERDICT_NONCE_FORM, more={"nonce": "00" * 32})
    yield Case("verify-policy-last-second", "VER-3", policy={"expires": format_time(NOW + SECOND)})
    yield Case("verify-policy-expired", "VER-3", expected=Code.POLICY_EXPIRED, policy={"expires": format_time(NOW)})
    yield Case("verify-policy-expired-and-no-document", "VER-3", lambda: b"", Code.POLICY_EXPIRED, {"expires": format_time(NOW)})
    yield Case("verify-accept-same-serial", "VER-4", more=state({"demo": 3}))
    yield Case("verify-accept-serial-of-another-name", "VER-4", more=state({"other": 9}))
    yield Case("verify-policy-older", "VER-4", expected=Code.POLICY_ROLLBACK, more=state({"demo": 4}))
    yield Case("verify-accept-without-nonce", "VER-5 VER-27", policy={"require__client_nonce": UNSAFE}, more={"nonce": None})
    yield Case("verify-no-nonce-of-the-caller", "VER-5 VER-27", expected=Code.POLICY_CLIENT_NONCE, more={"nonce": None})
    yield Case("verify-document-empty", "VER-6", lambda: b"", Code.DOCUMENT_MALFORMED)


def _evidence() -> Iterator[Case]:
    """VER-7 to VER-13."""
    yield Case("verify-no-roots", "VER-7", expected=Code.X509_ROOT, more={"roots": []})
    yield Case("verify-roots-of-another-product", "VER-7", world(product=Product.GENOA), Code.X509_ROOT)
    edited = {"edited": {"measurement": b"\x00" * 48}}
    yield Case("verify-report-changed-after-signing", "VER-7", world(report=edited), Code.SNP_SIGNATURE)
    yield Case("verify-accept-list-of-this-day", "VER-8", policy={"require__max_crl_age": "24h"})
    yield Case("verify-list-too-old", "VER-8", expected=Code.X509_CRL_AGE, policy={"require__max_crl_age": "23h"})
    crl = FalseAmd().crl(at=NOW, this_update=NOW - 30 * HOUR, next_update=NOW - 2 * HOUR)
    ended, long, short = world(collateral={"crl": crl}), {"require__collateral_grace": "3h"}, {"require__collateral_grace": "1h"}
    yield Case("verify-list-ended", "VER-8a", ended, Code.X509_CRL_EXPIRED)
    yield Case("verify-accept-list-ended-within-the-grace", "VER-8a", ended, policy=long)
    yield Case("verify-list-ended-beyond-the-grace", "VER-8a", ended, Code.X509_CRL_EXPIRED, short)
    no_list = world(collateral={"crl": None})
    yield Case("verify-no-list", "VER-8 VER-27", no_list, Code.X509_CRL_MISSING)
    yield Case("verify-accept-no-list-skipped", "VER-8 VER-27", no_list, policy={"require__max_crl_age": UNSAFE})
    yield Case("verify-accept-simulated", "VER-9 VER-27")
    yield Case("verify-simulated", "VER-9 VER-27", expected=Code.POLICY_SIMULATED, policy={"unsafe_accept_simulated": None})
    yield Case("verify-keyset-of-another-node", "VER-10", changed(keyset=keyset(node_id=b"\x66" * 32)), Code.BINDING_MISMATCH)
    yield Case("verify-nonces-left-out", "VER-10", changed(nonces=NO_NONCES, nonce_path=None), Code.BINDING_MISMATCH)
    yield Case("verify-accept-keyset-first-second", "VER-11", more=at(-HOUR))
    yield Case("verify-accept-keyset-last-second", "VER-11", more=at(23 * HOUR - SECOND))
    yield Case("verify-keyset-early", "VER-11", expected=Code.VERDICT_KEYSET_EARLY, more=at(-HOUR - SECOND))
    yield Case("verify-keyset-expired", "VER-11", expected=Code.VERDICT_KEYSET_EXPIRED, more=at(23 * HOUR))
    yield Case("verify-accept-nonce-alone", "VER-12", world(nonces=(NONCE,)))
    yield Case("verify-nonce-of-another", "VER-12", expected=Code.VERDICT_NONCE, more={"nonce": OTHERS[0].hex()})
    yield Case("verify-made-for-nobody", "VER-12", world(nonces=()), Code.VERDICT_NO_NONCE)
    yield from _acceptable()


def _acceptable() -> Iterator[Case]:
    entry = members()["accept"][0]
    software, chip = {**entry, "measurements": ["00" * 48]}, {**entry, "chip_ids": ["0d" * 64]}
    both = {**software, "chip_ids": ["0d" * 64]}
    yield Case("verify-accept-second-entry", "VER-13", policy={"accept": [software, entry]})
    yield Case("verify-other-software", "VER-13", expected=Code.SNP_MEASUREMENT, policy={"accept": [software]})
    yield Case("verify-nearest-entry-is-told", "VER-13", expected=Code.SNP_CHIP_ID, policy={"accept": [both, chip]})
    yield Case("verify-first-of-equally-near-entries", "VER-13", expected=Code.SNP_MEASUREMENT, policy={"accept": [software, chip]})
    debug = world(report={"policy": DEBUG})
    yield Case("verify-debug", "VER-13 VER-27", debug, Code.SNP_DEBUG)
    yield Case("verify-accept-debug-skipped", "VER-13 VER-27", debug, policy={"accept__allow_debug": UNSAFE})


def _node() -> Iterator[Case]:
    """VER-14 to VER-24."""
    yield Case("verify-role", "VER-14", world(keys={"role": Role.BROKER}), Code.POLICY_ROLE)
    stranger = world(keys={"authority_key": STRANGER.public})
    yield Case("verify-authority-where-none-is-wanted", "VER-15", stranger, Code.POLICY_AUTHORITY_KEY)
    yield Case("verify-another-authority", "VER-15", stranger, Code.POLICY_AUTHORITY_KEY, OWNED)
    yield Case("verify-no-authority", "VER-15", expected=Code.POLICY_AUTHORITY_KEY, policy=OWNED)
    yield Case("verify-accept-authority-skipped", "VER-15 VER-27", stranger, policy={"node__authority_key": UNSAFE})
    several = {"node__config_digests": ["00" * 32, CONFIG.hex()]}
    yield Case("verify-accept-one-of-two-configurations", "VER-16", policy=several)
    yield Case("verify-config-digest", "VER-16", expected=Code.POLICY_CONFIG_DIGEST, policy={"node__config_digests": ["00" * 32]})
    software = {"node__software_digests": ["00" * 32]}
    yield Case("verify-software-digest", "VER-17", expected=Code.POLICY_SOFTWARE_DIGEST, policy=software)
    yield Case("verify-isolation", "VER-18", expected=Code.POLICY_ISOLATION, policy={"node__isolation": ["in-process"]})
    pool = world(keys={"pool": Pool("eu-1", 3)})
    yield Case("verify-pool", "VER-19", pool, Code.POLICY_POOL)
    yield Case("verify-accept-pool-shared", "VER-19", pool, policy={"require__pool": "shared"})
    classical = world(keys={"ohttp_key_configs": [X25519]})
    yield Case("verify-post-quantum", "VER-20", classical, Code.POLICY_POST_QUANTUM)
    yield Case("verify-accept-post-quantum-skipped", "VER-20 VER-27", classical, policy={"require__post_quantum": UNSAFE})
    silent = world(keys={"receipt_keys": [ml_dsa(5).public]})
    yield Case("verify-receipts", "VER-21", silent, Code.POLICY_RECEIPTS)
    yield Case(
        "verify-accept-log-proof",
        "VER-32",
        world(keys={"receipt_keys": [RECEIPTS.public, ml_dsa(5).public]}),
        policy={"require__log_proof": True},
    )
    young = world(keys={"receipt_keys": [RECEIPTS.public]})
    yield Case("verify-log-proof", "VER-32", young, expected=Code.POLICY_LOG_PROOF, policy={"require__log_proof": True})
    yield Case("verify-accept-receipts-skipped", "VER-21 VER-27", silent, policy={"require__receipts": UNSAFE})
    yield Case("verify-model-digest", "VER-22", expected=Code.POLICY_MODEL_DIGEST, policy={"models": {"minilm": ["00" * 32]}})
    yield Case("verify-accept-model-not-started", "VER-22", policy={"models": {"other": ["00" * 32]}})
    yield from _custody()
    serial = world(keys={"policy_digest": hashlib.sha256(b"node policy").digest(), "policy_serial": 5})
    yield Case("verify-accept-node-policy-serial", "VER-24", serial, more=state(keysets={"demo": 5}))
    yield Case("verify-node-policy-older", "VER-24", serial, Code.VERDICT_ROLLBACK, more=state(keysets={"demo": 6}))
    yield Case("verify-node-policy-gone", "VER-24", expected=Code.VERDICT_ROLLBACK, more=state(keysets={"demo": 5}))


def _custody() -> Iterator[Case]:
    admitted = world(keys=OWNED_KEYS, admitted={})
    chips = {"accept__chip_ids": ["0c" * 64]}
    yield Case("verify-accept-admitted", "VER-15 VER-23", admitted, policy=OWNED)
    yield Case("verify-accept-admitted-and-listed", "VER-23", admitted, policy={**OWNED, **chips})
    yield Case("verify-accept-chip-listed", "VER-23", policy=chips)
    alone = world(keys=OWNED_KEYS)
    yield Case("verify-no-admission", "VER-23 VER-27", alone, Code.POLICY_ADMISSION, OWNED)
    yield Case("verify-accept-admission-skipped", "VER-23 VER-27", alone, policy={**OWNED, "require__admission": UNSAFE})
    yield Case("verify-admitted-elsewhere", "VER-23", admitted, Code.ADMISSION_PLACE, {**OWNED, "require__places": ["Lyon"]})
    yield Case("verify-admitted-by-a-stranger", "VER-23", _by_a_stranger, Code.ADMISSION_SIGNATURE, OWNED)
    late = {"now": format_time(NOW + 8 * HOUR)}
    yield Case("verify-admission-ended", "VER-23", admitted, Code.ADMISSION_EXPIRED, OWNED, more=late)
    other_chip = world(keys=OWNED_KEYS, admitted={"platform_id": "0d" * 64})
    yield Case("verify-admitted-on-another-platform", "VER-23", other_chip, Code.ADMISSION_PLATFORM, OWNED)
    op = "verify.for_admission"
    yield Case("admitting-accept-without-admission", "VER-31", alone, policy=OWNED, op=op)
    yield Case("admitting-accept-whatever-is-shown", "VER-31", _by_a_stranger, policy=OWNED, op=op)
    yield Case(
        "admitting-another-authority",
        "VER-31",
        world(keys={"authority_key": STRANGER.public}),
        Code.POLICY_AUTHORITY_KEY,
        OWNED,
        op,
    )
    other = {**OWNED, "node__software_digests": ["00" * 32]}
    yield Case("admitting-other-software", "VER-31", alone, Code.POLICY_SOFTWARE_DIGEST, other, op)
    elsewhere = {**OWNED, "accept__chip_ids": ["0d" * 64]}
    yield Case("admitting-a-platform-that-is-not-listed", "VER-31", alone, Code.SNP_CHIP_ID, elsewhere, op)
    old = {**OWNED, "expires": format_time(NOW)}
    yield Case("admitting-by-an-expired-policy", "VER-31", alone, Code.POLICY_EXPIRED, old, op)


def _by_a_stranger() -> bytes:
    node = World(keys=OWNED_KEYS, collateral={"ark": None})
    return node.document(admission=admission(node.keyset, node.chip, key=STRANGER))


def _verdicts() -> Iterator[Case]:
    """VER-25 and VER-26."""
    end = NOW + 23 * HOUR
    for name, moment, code in (("accept-last-second", end - SECOND, None), ("expired", end, Code.VERDICT_EXPIRED)):
        yield Case(f"verdict-{name}", "VER-25", expected=code, op="verify.use", more={"at": format_time(moment)})
    short = {"expires": format_time(NOW + HOUR)}
    late = {"at": format_time(NOW + HOUR)}
    yield Case("verdict-policy-ends-first", "VER-25", PLAIN, Code.VERDICT_EXPIRED, short, "verify.use", late)
    aged, fresh_end, old = (
        {"require__max_crl_age": "30h"},
        {"at": format_time(NOW + 6 * HOUR - SECOND)},
        {"at": format_time(NOW + 6 * HOUR)},
    )
    yield Case("verdict-accept-list-still-fresh", "VER-25", PLAIN, None, aged, "verify.use", fresh_end)
    yield Case("verdict-list-too-old-by-then", "VER-25", PLAIN, Code.VERDICT_EXPIRED, aged, "verify.use", old)
    admitted, admitted_end = world(keys=OWNED_KEYS, admitted={}), {"at": format_time(NOW + 8 * HOUR)}
    yield Case("verdict-admission-ends-first", "VER-25", admitted, Code.VERDICT_EXPIRED, OWNED, "verify.use", admitted_end)
    yield Case("as-of-accept", "VER-26", op="verify.as_of", more={"nonce": None})
    yield Case("as-of-accept-with-nonce", "VER-26", op="verify.as_of")
    yield Case("as-of-nonce-of-another", "VER-26", PLAIN, Code.VERDICT_NONCE, {}, "verify.as_of", {"nonce": OTHERS[0].hex()})
    yield Case("as-of-too-late", "VER-26", PLAIN, Code.VERDICT_KEYSET_EXPIRED, {}, "verify.as_of", {"nonce": None} | at(23 * HOUR))


def _trust() -> Iterator[Case]:
    """VER-29 and VER-30."""
    asked = {"name": "trusted", "unsafe_accept_simulated": True, "accept_digest": TRUSTED}
    op = "verify.trust"
    yield Case("trust-accept", "VER-29 VER-30", op=op, more=asked)
    yield Case("trust-accept-after-a-reboot", "VER-29", world(keys={"node_id": b"\x66" * 32}, nonces=(NONCE,)), op=op, more=asked)
    other = world(keys={"config_digest": b"\x66" * 32})
    yield Case("trust-another-configuration", "VER-29", other, Code.VERDICT_ACCEPT_DIGEST, op=op, more=asked)
    secret = {**asked, "unsafe_accept_simulated": False}
    yield Case("trust-simulated-unasked", "VER-30", expected=Code.POLICY_SIMULATED, op=op, more=secret)
    yield Case("trust-debug", "VER-29", world(report={"policy": DEBUG}), Code.SNP_DEBUG, op=op, more=asked)


# What the proposal for the plain node is accepted by; the specification says how to compute it.
TRUSTED = hashlib.sha256(
    b"confide/v1/first-use\x00"
    + json.dumps(
        {
            "unsafe_accept_simulated": True,
            "accept": [
                {
                    "tee": "snp",
                    "measurements": [MEASUREMENT.hex()],
                    "products": ["Milan"],
                    "signing_keys": ["vcek"],
                    "host_data": ["00" * 32],
                    "id_key_digests": ["00" * 48],
                    "minimum_tcb": members()["accept"][0]["minimum_tcb"],
                }
            ],
            "node": {
                "role": "node",
                "authority_key": "none",
                "config_digests": [CONFIG.hex()],
                "software_digests": members()["node"]["software_digests"],
                "isolation": ["worker-process"],
            },
            "models": members()["models"],
        },
        separators=(",", ":"),
    ).encode()
).hexdigest()


def _states() -> Iterator[dict[str, Any]]:
    """VER-28."""
    op, whole = "verify.rollback_state", RollbackState({"demo": 3}, {"demo": 5}, {"tdx": 17}).to_json()
    yield accept("state-accept", "VER-28", op, {"state": whole.hex()})
    yield accept("state-accept-empty", "VER-28", op, {"state": RollbackState().to_json().hex()})
    yield accept("state-accept-largest", "VER-28", op, {"state": whole.hex(), "spaces": (1 << 20) - len(whole)})
    broken = {
        "nothing": b"",
        "no-members": b"{}",
        "truncated": whole[:-1],
        "version-2": whole.replace(b'"version":1', b'"version":2'),
        "negative": whole.replace(b"17", b"-1"),
        "unknown-member": whole[:-1] + b',"more":{}}',
    }
    for name, data in broken.items():
        yield reject(f"state-{name}", "VER-28", op, {"state": data.hex()}, Code.VERDICT_STATE)
    yield reject("state-too-large", "VER-28", op, {"state": whole.hex(), "spaces": (1 << 20) - len(whole) + 1}, Code.VERDICT_STATE)
