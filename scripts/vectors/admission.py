"""Makes `vectors/05-admission.json`: one admission in which one thing at a time is different.

Ed25519 signatures are deterministic; the one ML-DSA-65 envelope is taken over from the committed file and verified.
"""

from collections.abc import Iterator
from typing import Any

from confide.attest.admission import MAX_PAYLOAD, PAYLOAD_TYPE
from confide.codes import Code
from confide.formats import dsse, strictjson
from confide.formats.dsse import SigningKey
from scripts.vectors._cases import accept, reject
from scripts.vectors._node import (
    AUTHORITY,
    PLATFORM,
    RECEIPT,
    admission_members,
    bytes_of,
    ed25519,
    encode,
    key_members,
    ml_dsa_65,
)
from scripts.vectors.keyset import small

OP = "admission.verify"
POST_QUANTUM = "admission-accept-ml-dsa-65"
OTHER = ed25519("another owner")
CONTEXT = {
    "keyset": encode(small(authority_key=key_members(AUTHORITY))).hex(),
    "authority_key": key_members(AUTHORITY),
    "now": "2026-11-25T12:00:00Z",
    "platform_id": PLATFORM,
    "places": None,
}


def signed(payload: bytes, key: SigningKey = AUTHORITY, payload_type: str = PAYLOAD_TYPE, **context: Any) -> dict[str, Any]:
    """The input for an envelope over `payload`."""
    return {"envelope": dsse.sign(payload, payload_type=payload_type, keys=(key,)).hex()} | CONTEXT | context


def given(statement: dict[str, Any] | None = None, **context: Any) -> dict[str, Any]:
    """The input for the valid statement with changes, in a context with changes."""
    return signed(encode(admission_members(**statement or {})), **context)


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    return {
        "spec": "spec/05-admission.md",
        "generator": "scripts/vectors/admission.py",
        "provenance": "Admissions of the node of 02-keyset.json, signed with keys from seeds SHAKE-256(name). "
        "The ML-DSA-65 envelope is random and kept. Every rejecting case differs from an accepted one in what its id names.",
        "cases": [*_accepted(previous), *_envelopes(), *_statements(), *_windows(), *_steps(), *_renewals()],
    }


def _accepted(previous: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    everything = " ".join(f"ADM-{number}" for number in range(1, 10))
    yield accept("admission-accept", everything, OP, given(places=["lab", "Paris, rack 4"]))
    yield accept("admission-accept-any-place", "ADM-8", OP, given())
    yield accept("admission-accept-hidden-platform", "ADM-7", OP, given({"platform_id": None}, platform_id=""))
    yield accept("admission-accept-at-beginning", "ADM-9", OP, given(now="2026-11-25T00:00:00Z"))
    yield accept("admission-accept-last-second", "ADM-9", OP, given(now="2026-11-25T23:59:59Z"))
    second = {"not_before": "2026-11-25T12:00:00Z", "not_after": "2026-11-25T12:00:01Z"}
    yield accept("admission-accept-one-second", "ADM-3", OP, given(second))
    yield accept(POST_QUANTUM, "ADM-1", OP, _post_quantum(previous))


def _post_quantum(previous: dict[str, Any] | None) -> dict[str, Any]:
    for case in previous["cases"] if previous else ():
        if case["id"] == POST_QUANTUM:
            kept: dict[str, Any] = case["input"]
            return kept
    owner = ml_dsa_65("owner")
    keyset = encode(small(authority_key=key_members(owner))).hex()
    return signed(encode(admission_members()), owner, keyset=keyset, authority_key=key_members(owner))


def _envelopes() -> Iterator[dict[str, Any]]:
    right = given()
    raw = bytes.fromhex(right["envelope"])
    broken = {
        "empty": b"",
        "object": b"{}",
        "truncated": raw[:-1],
        "trailing": raw + b"x",
        "duplicate-member": raw[:-1] + b',"payload":""}',
    }
    for name, value in broken.items():
        yield reject(f"admission-reject-envelope-{name}", "ADM-1", OP, right | {"envelope": value.hex()}, Code.ADMISSION_MALFORMED)
    policy = signed(encode(admission_members()), payload_type="application/vnd.confide.policy+json")
    yield reject("admission-reject-payload-type", "ADM-1", OP, policy, Code.ADMISSION_MALFORMED)
    stranger = signed(encode(admission_members()), OTHER)
    yield reject("admission-reject-stranger", "ADM-1", OP, stranger, Code.ADMISSION_SIGNATURE)
    moved = strictjson.loads(raw, limit=len(raw))
    moved["payload"] = strictjson.b64(encode(admission_members(place="lab")))
    yield reject(
        "admission-reject-changed-payload", "ADM-1", OP, right | {"envelope": encode(moved).hex()}, Code.ADMISSION_SIGNATURE
    )


def _statements() -> Iterator[dict[str, Any]]:
    for name in admission_members():
        members = admission_members()
        del members[name]
        yield reject(f"admission-reject-without-{name}", "ADM-2", OP, signed(encode(members)), Code.ADMISSION_MALFORMED)
    wrong: dict[str, dict[str, Any]] = {
        "unknown-member": {"unknown": 1},
        "version-text": {"version": "1"},
        "node-id": {"node_id": "00"},
        "upper-case-node-key": {"node_key": RECEIPT.public.keyid.upper()},
        "empty-platform": {"platform_id": ""},
        "half-a-byte-of-platform": {"platform_id": "abc"},
        "65-bytes-of-platform": {"platform_id": "00" * 65},
        "empty-place": {"place": ""},
        "place-with-escape": {"place": "lab\x1b[2J"},
        "place-of-129": {"place": "a" * 129},
        "time-spelling": {"not_after": "2026-11-25T20:00:00+00:00"},
    }
    for name, changes in wrong.items():
        yield reject(f"admission-reject-{name}", "ADM-2", OP, given(changes), Code.ADMISSION_MALFORMED)
    yield reject("admission-reject-version-2", "ADM-2", OP, signed(encode({"version": 2})), Code.ADMISSION_VERSION)
    payload = encode(admission_members())
    duplicate = payload[:-1] + b',"place":"lab"}'
    yield reject("admission-reject-duplicate-member", "ADM-2", OP, signed(duplicate), Code.ADMISSION_MALFORMED)
    large = payload + b" " * (MAX_PAYLOAD - len(payload) + 1)
    yield reject("admission-reject-large-statement", "ADM-2", OP, signed(large), Code.ADMISSION_MALFORMED)
    yield accept("admission-accept-largest-statement", "ADM-2", OP, signed(large[:-1]))


def _windows() -> Iterator[dict[str, Any]]:
    ends = {"too-long": "2026-11-26T00:00:01Z", "empty": "2026-11-25T00:00:00Z", "backwards": "2026-11-24T00:00:00Z"}
    for name, end in ends.items():
        yield reject(f"admission-reject-window-{name}", "ADM-3", OP, given({"not_after": end}), Code.ADMISSION_WINDOW)


def _steps() -> Iterator[dict[str, Any]]:
    def keyset(**changes: Any) -> str:
        return encode(small(**{"authority_key": key_members(AUTHORITY)} | changes)).hex()

    next_boot = keyset(receipt_keys=[key_members(ed25519("the next boot"))])
    cases = (
        ("no-authority", "ADM-4", given(keyset=keyset(authority_key=None)), Code.ADMISSION_AUTHORITY),
        ("other-authority", "ADM-4", given(keyset=keyset(authority_key=key_members(OTHER))), Code.ADMISSION_AUTHORITY),
        ("other-node", "ADM-5", given({"node_id": bytes_of("neighbour").hex()}), Code.ADMISSION_NODE),
        ("other-node-key", "ADM-6", given({"node_key": bytes_of("key").hex()}), Code.ADMISSION_NODE_KEY),
        ("authority-as-node-key", "ADM-6", given({"node_key": AUTHORITY.public.keyid}), Code.ADMISSION_NODE_KEY),
        ("next-boot", "ADM-6", given(keyset=next_boot), Code.ADMISSION_NODE_KEY),
        ("other-platform", "ADM-7", given({"platform_id": bytes_of("chip 2", 64).hex()}), Code.ADMISSION_PLATFORM),
        ("cut-platform", "ADM-7", given({"platform_id": PLATFORM[:16]}), Code.ADMISSION_PLATFORM),
        ("unnamed-platform", "ADM-7", given({"platform_id": None}), Code.ADMISSION_PLATFORM),
        ("named-hidden-platform", "ADM-7", given(platform_id=""), Code.ADMISSION_PLATFORM),
        ("other-place", "ADM-8", given(places=["lab", "Paris, rack 5"]), Code.ADMISSION_PLACE),
        ("no-place-listed", "ADM-8", given(places=[]), Code.ADMISSION_PLACE),
        ("too-early", "ADM-9", given(now="2026-11-24T23:59:59Z"), Code.ADMISSION_NOT_YET_VALID),
        ("at-end", "ADM-9", given(now="2026-11-26T00:00:00Z"), Code.ADMISSION_EXPIRED),
    )
    for name, musts, case, code in cases:
        yield reject(f"admission-reject-{name}", musts, OP, case, code)


def _renewals() -> Iterator[dict[str, Any]]:
    """ADM-10: what is shown, and what comes."""
    noon, one, two = (f"2026-11-25T{hour}:00:00Z" for hour in ("12", "13", "14"))
    held = {"not_before": noon, "not_after": two}

    def case(comes: dict[str, str], shown: dict[str, str] | None = held) -> dict[str, Any]:
        envelopes = {"comes": given(comes)["envelope"], "shown": given(shown)["envelope"] if shown else None}
        return envelopes | {"authority_key": key_members(AUTHORITY)}

    accepted = {
        "first": case(held, None),
        "same": case(held),
        "later": case({"not_before": one, "not_after": "2026-11-25T15:00:00Z"}),
        "longer": case({"not_before": noon, "not_after": "2026-11-25T15:00:00Z"}),
        "cut-short-by-the-owner": case({"not_before": "2026-11-25T12:00:01Z", "not_after": one}),
    }
    for name, input_ in accepted.items():
        yield accept(f"admission-renewal-accept-{name}", "ADM-10", "admission.renew", input_)
    refused = {
        "earlier": case({"not_before": "2026-11-25T11:59:59Z", "not_after": "2026-11-25T15:00:00Z"}),
        "shorter": case({"not_before": noon, "not_after": "2026-11-25T13:59:59Z"}),
    }
    for name, input_ in refused.items():
        yield reject(f"admission-renewal-reject-{name}", "ADM-10", "admission.renew", input_, Code.ADMISSION_OLDER)
    stranger = case(held) | {"comes": signed(encode(admission_members()), OTHER)["envelope"]}
    yield reject("admission-renewal-reject-stranger", "ADM-1", "admission.renew", stranger, Code.ADMISSION_SIGNATURE)
