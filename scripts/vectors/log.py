"""vectors/10-log.json. Trees, keys and payloads rebuild; ML-DSA-65 signatures are random and kept from the committed file."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from confide.errors import ConfideError
from confide.formats import dsse, strictjson
from confide.formats.fields import format_time
from confide.receipt.checkpoint import PAYLOAD_TYPE, Checkpoint, log_id, sign_checkpoint
from confide.receipt.frames import frame
from confide.receipt.log import EMPTY_ROOT, Log
from confide.receipt.proof import BatchProof, ConsistencyProof, LogProof
from scripts.vectors import _receipts as world

Case = dict[str, Any]
PROVENANCE = (
    "Made by scripts/vectors/log.py with keys from public seeds. Roots and paths come from an incremental tree and are compared "
    "with the recursive definition of RFC 9162 in tests/receipt/test_log.py. ML-DSA-65 signatures are hedged, so the committed "
    "ones are verified and kept; everything else rebuilds."
)


def receipt(index: int) -> bytes:
    """The receipt for one place of the log, one a second."""
    return world.signed(keyset_digest=world.LOG_KEYSET.digest, log_index=index, issued_at=world.AT + timedelta(seconds=index))


ENVELOPES = [receipt(index) for index in range(5)]
LEAVES = [envelope.hex() for envelope in ENVELOPES]
SMALL = [bytes([number]).hex() for number in range(7)]
BOOT = (world.RECEIPT_KEY, world.LOG_KEY)
OTHER_BOOT = (world.OTHER_KEY, world.OTHER_LOG_KEY)
LOG_ID = log_id([key.public for key in BOOT])
KEYSET = world.LOG_KEYSET.raw.hex()


class Signer:
    """Signs payloads, but takes over any earlier envelope that has the same payload and verifies under the same keys."""

    def __init__(self, previous: dict[str, Any] | None) -> None:
        cases = previous["cases"] if previous else []
        names = ("checkpoint", "first", "second")
        texts = [case["input"][name] for case in cases for name in names if name in case["input"]]
        texts += [text for case in cases for text in case["input"].get("checkpoints", [])]
        proofs = [bytes.fromhex(case["input"][name]) for case in cases for name in ("proof", "batch") if name in case["input"]]
        self._kept = [bytes.fromhex(text) for text in texts if isinstance(text, str)]
        self._kept += [envelope for proof in proofs for envelope in _inside(proof)]

    def sign(self, payload: bytes, keys: tuple[dsse.SigningKey, ...] = BOOT, kind: str = PAYLOAD_TYPE) -> bytes:
        """The envelope."""
        for envelope in self._kept:
            if all(_signed(envelope, payload, key, kind) for key in keys):
                return envelope
        self._kept.append(dsse.sign(payload, payload_type=kind, keys=keys))
        return self._kept[-1]

    def checkpoint(self, checkpoint: Checkpoint, keys: tuple[dsse.SigningKey, ...] = BOOT) -> bytes:
        """A checkpoint as a node signs it."""
        return self.sign(dsse.unverified_payload(sign_checkpoint(checkpoint, keys=keys), payload_type=PAYLOAD_TYPE), keys)


def _inside(proof: bytes) -> list[bytes]:
    """The checkpoint in a proof or a batch of them."""
    for kind in (LogProof, BatchProof):
        try:
            return [kind.parse(proof).checkpoint]
        except ConfideError:
            continue
    return []


def _signed(envelope: bytes, payload: bytes, key: dsse.SigningKey, kind: str) -> bool:
    try:
        exact = len(json.loads(envelope)["signatures"])
        return dsse.verify(envelope, payload_type=kind, keys=(key.public,))[0] == payload and exact > 0
    except (ConfideError, ValueError):
        return False


def build(previous: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    signer = Signer(previous)
    cases = [
        *_tree(),
        *_appending(),
        *_checkpoints(signer),
        *_proofs(signer),
        *_provable(),
        *_growth(signer),
        *_batches(signer),
        *_records(),
        *_whole(signer),
    ]
    return {"spec": "spec/10-log.md", "generator": "scripts/vectors/log.py", "provenance": PROVENANCE, "cases": cases}


def accept(name: str, musts: str, op: str, given: Case, ok: Case) -> Case:
    """An accepting case."""
    return {"id": f"log-{name}", "musts": musts.split(), "kind": "accept", "op": op, "input": given, "expected": {"ok": ok}}


def reject(name: str, musts: str, op: str, given: Case, code: str) -> Case:
    """A rejecting case."""
    return {"id": f"log-{name}", "musts": musts.split(), "kind": "reject", "op": op, "input": given, "expected": {"error": code}}


def tree(envelopes: list[bytes]) -> Log:
    """A log of these leaves."""
    log = Log()
    for envelope in envelopes:
        log.append(envelope)
    return log


def head(size: int, at: datetime, *, closing: bool = False, root: bytes | None = None, identifier: bytes = LOG_ID) -> Checkpoint:
    """The true checkpoint of the first `size` receipts, unless told otherwise."""
    return Checkpoint(identifier, size, tree(ENVELOPES).root(size) if root is None else root, at, closing)


def members(checkpoint: Checkpoint) -> Case:
    """What `log.checkpoint` returns."""
    return {
        "log_id": checkpoint.log_id.hex(),
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "time": format_time(checkpoint.time),
        "closing": checkpoint.closing,
    }


def _tree() -> Iterator[Case]:
    small = tree([bytes.fromhex(leaf) for leaf in SMALL])
    for size in range(8):
        given = {"leaves": SMALL, "size": size}
        yield accept(f"root-of-{size}", "LOG-1", "log.root", given, {"root": small.root(size).hex()})
    for index, size in ((0, 1), (0, 7), (3, 7), (6, 7), (4, 5), (2, 3)):
        given = {"leaves": SMALL, "index": index, "size": size}
        path = [node.hex() for node in small.inclusion(index, size)]
        yield accept(f"path-of-{index}-in-{size}", "LOG-1", "log.inclusion", given, {"path": path})
    for index, size in ((7, 7), (0, 0), (-1, 7), (0, 8)):
        given = {"leaves": SMALL, "index": index, "size": size}
        yield reject(f"no-path-of-{index}-in-{size}", "LOG-2", "log.inclusion", given, "log.index")
    for first, second in ((0, 7), (1, 7), (3, 7), (4, 7), (6, 7), (7, 7), (3, 5), (2, 4)):
        given = {"leaves": SMALL, "first": first, "second": second}
        path = [node.hex() for node in small.consistency(first, second)]
        yield accept(f"path-from-{first}-to-{second}", "LOG-9", "log.consistency", given, {"path": path})
    yield reject("path-backwards", "LOG-9", "log.consistency", {"leaves": SMALL, "first": 5, "second": 4}, "log.index")


def _appending() -> Iterator[Case]:
    given = {"leaves": SMALL[:2], "leaf": "ff", "index": 2, "closed": False}
    yield accept("append-next", "LOG-2", "log.append", given, {"index": 2})
    for name, changes, code in (
        ("taken", {"index": 1}, "log.index"),
        ("gap", {"index": 3}, "log.index"),
        ("closed", {"closed": True}, "log.closed"),
    ):
        yield reject(f"append-{name}", "LOG-2", "log.append", {**given, **changes}, code)


def _checkpoints(signer: Signer) -> Iterator[Case]:
    at = world.AT + timedelta(minutes=1)

    def case(envelope: bytes, keyset: str = KEYSET) -> Case:
        return {"checkpoint": envelope.hex(), "keyset": keyset}

    for name, checkpoint in (
        ("empty", Checkpoint(LOG_ID, 0, EMPTY_ROOT, at)),
        ("three", head(3, at)),
        ("closing", head(5, at, closing=True)),
    ):
        yield accept(
            f"checkpoint-{name}", "LOG-3 LOG-4 LOG-5", "log.checkpoint", case(signer.checkpoint(checkpoint)), members(checkpoint)
        )

    good = signer.checkpoint(head(3, at))
    base = json.loads(dsse.unverified_payload(good, payload_type=PAYLOAD_TYPE))
    put, drop, change = world.put, world.drop, world.changed
    shapes = {
        "extra-member": {**base, "note": 1},
        "no-closing": change(base, "closing", drop),
        "no-version": change(base, "version", drop),
        "negative-size": change(base, "size", put(-1)),
        "short-root": change(base, "root", put("00")),
        "time": change(base, "time", put("2026-11-25 12:01:00Z")),
        "empty-with-another-root": change(base, "size", put(0)),
    }
    for name, value in shapes.items():
        yield reject(f"checkpoint-{name}", "LOG-3", "log.checkpoint", case(signer.sign(strictjson.dumps(value))), "log.malformed")
    for name, value in (("2", change(base, "version", put(2))), ("2-of-another-shape", {"version": 2, "roots": []})):
        signed = signer.sign(strictjson.dumps(value))
        yield reject(f"checkpoint-version-{name}", "LOG-3", "log.checkpoint", case(signed), "log.version")
    large = strictjson.dumps(base) + b" " * (16 << 10)
    for name, data in (("not-json", b"{"), ("an-array", b"[]"), ("too-large", large)):
        yield reject(f"checkpoint-{name}", "LOG-3", "log.checkpoint", case(signer.sign(data)), "log.malformed")
    kind = signer.sign(strictjson.dumps(base), kind="application/json")
    yield reject("checkpoint-payload-type", "LOG-3", "log.checkpoint", case(kind), "log.malformed")
    yield reject("checkpoint-no-envelope", "LOG-3", "log.checkpoint", case(b"checkpoint"), "log.malformed")

    value = json.loads(good)
    for name, kept in (("ed25519-only", value["signatures"][:1]), ("ml-dsa-only", value["signatures"][1:])):
        envelope = strictjson.dumps({**value, "signatures": kept})
        yield reject(f"checkpoint-{name}", "LOG-4", "log.checkpoint", case(envelope), "log.signature")
    bad = [value["signatures"][0], {"sig": strictjson.b64(bytes(3309))}]
    flipped = strictjson.dumps({**value, "signatures": bad})
    yield reject("checkpoint-zero-ml-dsa", "LOG-4", "log.checkpoint", case(flipped), "log.signature")
    yield reject("checkpoint-of-another-boot", "LOG-4", "log.checkpoint", case(good, world.OTHER_KEYSET.raw.hex()), "log.signature")
    other = signer.checkpoint(head(3, at, identifier=log_id([key.public for key in OTHER_BOOT])))
    yield reject("checkpoint-of-another-log", "LOG-5", "log.checkpoint", case(other), "log.id")
    without = world.keyset(world.RECEIPT_KEY, world.LOG_KEY, world.OTHER_KEY)
    yield reject("checkpoint-of-other-keys", "LOG-5", "log.checkpoint", case(good, without.raw.hex()), "log.id")


def _proofs(signer: Signer) -> Iterator[Case]:
    at = world.AT + timedelta(minutes=1)
    envelope = signer.checkpoint(head(5, at))
    log = tree(ENVELOPES)

    def proof(index: int, **changes: Any) -> bytes:
        text = LogProof(envelope, index, 5, tuple(log.inclusion(index, 5))).to_bytes()
        return strictjson.dumps({**json.loads(text), **changes})

    def case(receipt: bytes, data: bytes) -> Case:
        return {"envelope": receipt.hex(), "keyset": KEYSET, "proof": data.hex()}

    for index in (0, 2, 4):
        given = case(ENVELOPES[index], proof(index))
        yield accept(f"proof-of-{index}", "LOG-1 LOG-2 LOG-6 LOG-7", "log.prove", given, members(head(5, at)))
    respelled = strictjson.dumps(json.loads(ENVELOPES[2])) + b" "
    yield reject("proof-of-respelled-receipt", "LOG-1", "log.prove", case(respelled, proof(2)), "log.inclusion")
    yield reject("proof-for-another-index", "LOG-6 LOG-2", "log.prove", case(ENVELOPES[2], proof(1)), "log.index")
    yield reject("proof-of-another-size", "LOG-6", "log.prove", case(ENVELOPES[2], proof(2, size=4)), "log.index")
    bad = {
        "extra-member": proof(2, note=1),
        "path-not-hex": proof(2, path=["zz" * 32]),
        "short-node": proof(2, path=["00"]),
        "checkpoint-not-base64": proof(2, checkpoint="!"),
        "not-json": b"proof",
        "too-large": proof(2) + b" " * (32 << 10),
    }
    for name, data in bad.items():
        yield reject(f"proof-{name}", "LOG-6", "log.prove", case(ENVELOPES[2], data), "log.malformed")
    yield reject("proof-version-2", "LOG-6", "log.prove", case(ENVELOPES[2], proof(2, version=2)), "log.version")
    path = [node.hex() for node in log.inclusion(2, 5)]
    for name, nodes in (
        ("short", path[:-1]),
        ("long", [*path, "00" * 32]),
        ("empty", []),
        ("reordered", [path[1], path[0], *path[2:]]),
        ("64-nodes", ["00" * 32] * 64),
    ):
        yield reject(f"proof-path-{name}", "LOG-7", "log.prove", case(ENVELOPES[2], proof(2, path=nodes)), "log.inclusion")


def _provable() -> Iterator[Case]:
    small = tree([bytes.fromhex(leaf) for leaf in SMALL])
    at, soon, later = (format_time(world.AT + timedelta(seconds=number)) for number in (0, 0, 1))
    given = {"leaves": SMALL[:3], "checkpoint_at": at, "later": SMALL[3:5], "index": 1, "now": soon}
    changes: tuple[tuple[str, Case, int], ...] = (("covered", {}, 3), ("after-a-second", {"index": 4, "now": later}, 5))
    for name, change, size in changes:
        value: Case = {**given, **change}
        path = [node.hex() for node in small.inclusion(value["index"], size)]
        wanted = {"index": value["index"], "size": size, "path": path}
        yield accept(f"provable-{name}", "LOG-8", "log.provable", value, wanted)
    yield reject("provable-not-yet", "LOG-8", "log.provable", {**given, "index": 4}, "log.pending")
    yield reject("provable-no-such-leaf", "LOG-8", "log.provable", {**given, "index": 5}, "log.index")


def _growth(signer: Signer) -> Iterator[Case]:
    at, after = world.AT + timedelta(minutes=1), world.AT + timedelta(minutes=2)
    log = tree(ENVELOPES)

    def case(first: bytes, second: bytes, path: list[bytes], second_keyset: str = KEYSET) -> Case:
        texts = {"first": first.hex(), "first_keyset": KEYSET, "second": second.hex(), "second_keyset": second_keyset}
        return {**texts, "path": [node.hex() for node in path]}

    empty = signer.checkpoint(Checkpoint(LOG_ID, 0, EMPTY_ROOT, at))
    three, five = signer.checkpoint(head(3, at)), signer.checkpoint(head(5, after))
    closed, same = signer.checkpoint(head(3, at, closing=True)), signer.checkpoint(head(3, after))
    for name, first, second, path, grew in (
        ("three-to-five", three, five, log.consistency(3, 5), 2),
        ("empty-to-five", empty, five, [], 5),
        ("same", three, same, [], 0),
        ("closed-and-same", closed, same, [], 0),
    ):
        yield accept(f"growth-{name}", "LOG-9", "log.growth", case(first, second, path), {"grew": grew})
    early = signer.checkpoint(head(5, world.AT))
    forked = signer.checkpoint(head(5, after, root=tree([*ENVELOPES[:2], b"another", *ENVELOPES[3:]]).root()))
    other_id = log_id([key.public for key in OTHER_BOOT])
    other = signer.checkpoint(head(5, after, identifier=other_id), OTHER_BOOT)
    path = log.consistency(3, 5)
    for name, given, code in (
        ("another-log", case(three, other, path, world.OTHER_KEYSET.raw.hex()), "log.id"),
        ("back-in-time", case(three, early, path), "log.time"),
        ("after-closing", case(closed, five, path), "log.closed"),
        ("forked", case(three, forked, path), "log.consistency"),
        ("shrunk", case(signer.checkpoint(head(5, at)), same, []), "log.consistency"),
        ("short-path", case(three, five, path[:-1]), "log.consistency"),
        ("path-for-same-size", case(three, same, path), "log.consistency"),
    ):
        yield reject(f"growth-{name}", "LOG-9", "log.growth", given, code)


def _batches(signer: Signer) -> Iterator[Case]:
    at, after = world.AT + timedelta(minutes=1), world.AT + timedelta(minutes=2)
    log = tree(ENVELOPES)
    five = signer.checkpoint(head(5, at))

    def batch(*indices: int, **changes: Any) -> bytes:
        text = BatchProof(five, 5, {index: tuple(log.inclusion(index, 5)) for index in indices}).to_bytes()
        return strictjson.dumps({**json.loads(text), **changes})

    def case(index: int, data: bytes) -> Case:
        return {"envelope": ENVELOPES[index].hex(), "keyset": KEYSET, "index": index, "batch": data.hex()}

    for index in (0, 4):
        yield accept(
            f"batch-with-{index}",
            "LOG-10 LOG-11",
            "log.prove_batch",
            case(index, batch(0, 2, 4)),
            members(head(5, at)) | {"proofs": 3},
        )
    proofs = json.loads(batch(0, 2))["proofs"]
    for name, data in (
        ("extra-member", batch(0, note=1)),
        ("empty", batch(0, proofs=[])),
        ("descending", batch(0, proofs=proofs[::-1])),
        ("twice", batch(0, proofs=[proofs[0], proofs[0]])),
        ("too-many", batch(0, proofs=[{"index": number, "path": []} for number in range(1025)])),
        ("not-json", b"batch"),
    ):
        yield reject(f"batch-{name}", "LOG-10", "log.prove_batch", case(0, data), "log.malformed")
    yield reject("batch-version-2", "LOG-10", "log.prove_batch", case(0, batch(0, version=2)), "log.version")
    yield reject("batch-without-it", "LOG-11", "log.prove_batch", case(1, batch(0, 2)), "log.index")
    yield reject("batch-of-another-size", "LOG-11", "log.prove_batch", case(0, batch(0, size=4)), "log.index")
    lied = batch(0, proofs=[{"index": 0, "path": proofs[1]["path"]}])
    yield reject("batch-path-of-another", "LOG-11", "log.prove_batch", case(0, lied), "log.inclusion")

    three, later = signer.checkpoint(head(3, at)), signer.checkpoint(head(5, after))
    given: Case = {"keyset": KEYSET, "first": three.hex(), "second": later.hex()}

    def growth(**changes: Any) -> Case:
        text = ConsistencyProof(3, 5, tuple(log.consistency(3, 5))).to_bytes()
        return {**given, "proof": strictjson.dumps({**json.loads(text), **changes}).hex()}

    yield accept("grown", "LOG-12", "log.prove_growth", growth(), {"grew": 2})
    for name, proof, code in (
        ("extra-member", growth(note=1), "log.malformed"),
        ("not-json", {**given, "proof": b"{".hex()}, "log.malformed"),
        ("version-2", growth(version=2), "log.version"),
        ("another-size", growth(first=2), "log.index"),
        ("short-path", growth(path=[]), "log.consistency"),
    ):
        yield reject(f"grown-{name}", "LOG-12", "log.prove_growth", proof, code)


def _records() -> Iterator[Case]:
    whole = frame(b"one") + frame(b"three")
    for name, file, cut in (
        ("whole", whole, 0),
        ("cut-in-a-length", whole + b"\x00\x00", 2),
        ("cut-in-a-record", whole + frame(b"other")[:-1], 8),
        ("zeros-after", whole + bytes(64), 64),
    ):
        wanted = {"records": [b"one".hex(), b"three".hex()], "cut": cut}
        yield accept(f"records-{name}", "LOG-13 LOG-14", "log.records", {"file": file.hex(), "limit": 5}, wanted)
    for name, file in (
        ("over-the-bound", whole + frame(b"123456")),
        ("length-zero", whole + bytes(4) + frame(b"one")),
        ("huge", b"\xff\xff\xff\xff" + whole),
    ):
        yield reject(f"records-{name}", "LOG-13 LOG-14", "log.records", {"file": file.hex(), "limit": 5}, "log.record")


def _whole(signer: Signer) -> Iterator[Case]:
    at, after = world.AT + timedelta(minutes=1), world.AT + timedelta(minutes=2)
    three, five = signer.checkpoint(head(3, at)), signer.checkpoint(head(5, after))
    closing = signer.checkpoint(head(5, after, closing=True))
    log, musts = tree(ENVELOPES), "LOG-15 LOG-16 LOG-17 LOG-18 LOG-19"

    def case(leaves: list[bytes], *checkpoints: bytes, keysets: tuple[str, ...] = (KEYSET,), live: bool = False) -> Case:
        heads = [envelope.hex() for envelope in checkpoints]
        return {"leaves": [leaf.hex() for leaf in leaves], "checkpoints": heads, "keysets": list(keysets), "live": live}

    for name, given, covered, ending in (
        ("closed", case(ENVELOPES, three, closing), 5, "closed"),
        ("unclean", case(ENVELOPES, three), 3, "ended uncleanly"),
        ("live", case(ENVELOPES, three, five, live=True), 5, "live"),
        ("without-checkpoints", case(ENVELOPES[:2]), 0, "ended uncleanly"),
    ):
        wanted = {"leaves": len(given["leaves"]), "covered": covered, "root": log.root(covered).hex(), "ending": ending}
        yield accept(f"whole-{name}", musts, "log.whole", given, wanted)
    stranger = world.OTHER_KEYSET.raw.hex()
    forked = signer.checkpoint(head(3, at, root=tree([*ENVELOPES[:2], b"another"]).root()))
    closed = signer.checkpoint(head(3, at, closing=True))
    for name, must, given, code in (
        ("without-keysets", "LOG-15", case(ENVELOPES, keysets=()), "log.id"),
        ("keysets-of-two-boots", "LOG-15", case(ENVELOPES, keysets=(KEYSET, stranger)), "log.id"),
        ("checkpoint-of-another-boot", "LOG-16", case(ENVELOPES, three, keysets=(stranger,)), "log.signature"),
        ("back-in-time", "LOG-16", case(ENVELOPES, signer.checkpoint(head(3, after)), signer.checkpoint(head(5, at))), "log.time"),
        ("shrinking", "LOG-16", case(ENVELOPES, five, signer.checkpoint(head(3, after))), "log.consistency"),
        ("growing-after-the-end", "LOG-16", case(ENVELOPES, closed, five), "log.closed"),
        ("swapped", "LOG-17", case([ENVELOPES[1], ENVELOPES[0]]), "log.index"),
        ("no-receipt", "LOG-17", case([b"leaf"]), "receipt.malformed"),
        ("forked", "LOG-18", case(ENVELOPES, forked), "log.root"),
        ("tail-missing", "LOG-19", case(ENVELOPES[:4], three, five), "log.missing"),
        ("leaf-after-the-end", "LOG-19", case(ENVELOPES, closed), "log.closed"),
    ):
        yield reject(f"whole-{name}", must, "log.whole", given, code)
