"""Makes `vectors/03-binding.json`: the 64 bytes for known parts, nonce trees, and what does not match. Nothing in it is random."""

import hashlib
from collections.abc import Iterator
from typing import Any

from confide.attest.binding import MAX_NONCES, NO_NONCES, binding, join_device_evidence, nonce_path, nonces_root
from confide.codes import Code
from scripts.vectors._cases import accept, reject
from scripts.vectors._node import b64, bytes_of, document_members, encode
from scripts.vectors.keyset import small

KEYSET = encode(small())
ROOT = bytes_of("root")
DEVICES = [b"evidence of gpu 0", b"evidence of gpu 1"]
NONCES = [bytes_of(f"nonce {i}") for i in range(7)]
PARTS: dict[str, Any] = {"nonces": ROOT.hex(), "keyset": KEYSET.hex(), "devices": []}


def build(previous: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG001 - nothing is random here
    """The whole file."""
    return {
        "spec": "spec/03-binding.md",
        "generator": "scripts/vectors/binding.py",
        "provenance": "The keyset is the minimal one of 02-keyset.json; nonces and roots are SHAKE-256(name). "
        "The evidence in the documents is filler: these cases end before any signature is looked at.",
        "cases": [*_values(), *_mismatches(), *_trees(), *_callers()],
    }


def _values() -> Iterator[dict[str, Any]]:
    devices = [part.hex() for part in DEVICES]
    for name, musts, changes in (
        ("nonces", "BINDING-1 BINDING-2", {}),
        ("no-nonces", "BINDING-1 BINDING-2", {"nonces": NO_NONCES.hex()}),
        ("devices", "BINDING-1 BINDING-4", {"devices": devices}),
        ("an-empty-device", "BINDING-4", {"devices": [""]}),
    ):
        given = PARTS | changes
        yield accept(f"binding-accept-value-{name}", musts, "binding.value", given)
        value = binding(
            nonces=bytes.fromhex(given["nonces"]),
            keyset=KEYSET,
            device_evidence=join_device_evidence([bytes.fromhex(part) for part in given["devices"]]),
        )
        yield accept(f"binding-accept-report-data-{name}", musts, "binding.require", given | {"report_data": value.hex()})
    for size in (0, 31, 33, 64):
        given = PARTS | {"nonces": "00" * size}
        yield reject(f"binding-reject-root-of-{size}-bytes", "BINDING-2", "binding.value", given, Code.BINDING_LENGTH)


def _mismatches() -> Iterator[dict[str, Any]]:
    value = binding(nonces=ROOT, keyset=KEYSET)
    tail = ROOT + hashlib.sha256(KEYSET).digest() + hashlib.sha256(b"").digest()
    other = {
        "zero": bytes(64),
        "one-bit": value[:-1] + bytes([value[-1] ^ 1]),
        "half": value[:32],
        "padded": value + b"\0",
        "empty": b"",
        "other-nonces": binding(nonces=NO_NONCES, keyset=KEYSET),
        "other-keyset-spelling": binding(nonces=ROOT, keyset=KEYSET + b" "),
        "no-label": hashlib.sha512(tail).digest(),
        "no-separator": hashlib.sha512(b"confide/v1/report-data" + tail).digest(),
        "other-label": hashlib.sha512(b"confide/v2/report-data\0" + tail).digest(),
        "sha-256": hashlib.sha256(b"confide/v1/report-data\0" + tail).digest() + bytes(32),
    }
    for name, found in other.items():
        given = PARTS | {"report_data": found.hex()}
        yield reject(f"binding-reject-{name}", "BINDING-1", "binding.require", given, Code.BINDING_MISMATCH)
    joined = {
        "devices-left-out": b"",
        "devices-in-other-order": join_device_evidence(DEVICES[::-1]),
        "devices-without-lengths": b"".join(DEVICES),
        "devices-little-endian": b"".join(len(part).to_bytes(4, "little") + part for part in DEVICES),
    }
    for name, evidence in joined.items():
        found = binding(nonces=ROOT, keyset=KEYSET, device_evidence=evidence)
        given = PARTS | {"devices": [part.hex() for part in DEVICES], "report_data": found.hex()}
        yield reject(f"binding-reject-{name}", "BINDING-4", "binding.require", given, Code.BINDING_MISMATCH)


def _trees() -> Iterator[dict[str, Any]]:
    for size in (1, 2, 3, 5, 7):
        given = {"nonces": [nonce.hex() for nonce in NONCES[:size]]}
        yield accept(f"binding-accept-{size}-gathered", "BINDING-3", "binding.nonces", given)
    odd: dict[str, dict[str, Any]] = {
        "none": {"nonces": []},
        "too-many": {"nonces": ["00" * 32], "times": MAX_NONCES + 1},
        "short": {"nonces": [NONCES[0].hex(), NONCES[1].hex()[:-2]]},
        "long": {"nonces": [NONCES[0].hex() + "00"]},
    }
    for name, given in odd.items():
        yield reject(f"binding-reject-gathered-{name}", "BINDING-3", "binding.nonces", given, Code.BINDING_LENGTH)


def _callers() -> Iterator[dict[str, Any]]:
    op, musts = "binding.check_nonce", "BINDING-5 BINDING-6"
    for size in (1, 5, 7):
        for index in sorted({0, size // 2, size - 1}):
            yield accept(f"binding-accept-caller-{index}-of-{size}", musts, op, _asked(index, size))
    right = _asked(2, 5)
    wrong = {
        "neighbour": right | {"nonce": NONCES[3].hex()},
        "stranger": right | {"nonce": bytes_of("stranger").hex()},
        "root-as-nonce": _asked(0, 1) | {"nonce": nonces_root(NONCES[:1]).hex()},
        "other-index": _asked(2, 5, index=3),
        "other-size": _asked(2, 5, size=9),
        "cut-path": _asked(2, 5, path=_hexes(nonce_path(NONCES[:5], 2)[:-1])),
        "long-path": _asked(2, 5, path=[*_hexes(nonce_path(NONCES[:5], 2)), "00" * 32]),
        "swapped-path": _asked(2, 5, path=_hexes(nonce_path(NONCES[:5], 2)[::-1])),
        "other-root": _asked(2, 5, root=ROOT.hex()),
    }
    for name, given in wrong.items():
        yield reject(f"binding-reject-caller-{name}", "BINDING-5", op, given, Code.VERDICT_NONCE)
    nobody = {"document": _document(None).hex(), "nonce": NONCES[0].hex()}
    yield reject("binding-reject-caller-without-nonces", "BINDING-5", op, nobody, Code.VERDICT_NO_NONCE)
    for name, nonce in {"zero": NO_NONCES, "short": NONCES[0][:-1], "long": NONCES[0] + b"\0", "empty": b""}.items():
        given = right | {"nonce": nonce.hex()}
        yield reject(f"binding-reject-caller-nonce-{name}", "BINDING-6", op, given, Code.VERDICT_NONCE_FORM)


def _asked(position: int, count: int, **changes: Any) -> dict[str, Any]:
    nonces = NONCES[:count]
    path = _hexes(nonce_path(nonces, position))
    member = {"root": nonces_root(nonces).hex(), "index": position, "size": count, "path": path} | changes
    return {"document": _document(member).hex(), "nonce": nonces[position].hex()}


def _document(nonces: dict[str, Any] | None) -> bytes:
    report = [{"type": "sev-snp-report", "value": b64(b"report")}]
    return encode(document_members(keyset=b64(KEYSET), nonces=nonces, evidence=report, collateral=[], admission=None))


def _hexes(path: list[bytes]) -> list[str]:
    return [node.hex() for node in path]
