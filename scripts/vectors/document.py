"""Makes `vectors/04-document.json`: one evidence document in which one thing at a time is different. Nothing in it is random."""

from collections.abc import Iterator
from typing import Any

from confide.attest.document import MAX_DOCUMENT
from confide.codes import Code
from scripts.vectors._cases import accept, reject
from scripts.vectors._node import b64, bytes_of, document_members, encode, keyset_members
from scripts.vectors.keyset import small

OP = "document.parse"
REPORT = {"type": "sev-snp-report", "value": b64(b"report")}
ROLES = ("vcek", "vlek", "ask", "asvk", "ark", "cert-chain", "crl")
NONCES = {"root": bytes_of("root").hex(), "index": 1, "size": 2, "path": [bytes_of("sibling").hex()]}
SMALL: dict[str, Any] = {
    "keyset": b64(encode(small())),
    "nonces": None,
    "evidence": [REPORT],
    "collateral": [],
    "admission": None,
}


def text(**changes: Any) -> dict[str, Any]:
    """The input for a document in which everything optional is absent, with changes."""
    return {"document": encode(document_members(**SMALL | changes)).hex()}


def item(name: str, value: str = "") -> dict[str, str]:
    """One `{type, value}`."""
    return {"type": name, "value": value}


def build(previous: dict[str, Any] | None) -> dict[str, Any]:  # noqa: ARG001 - nothing is random here
    """The whole file."""
    return {
        "spec": "spec/04-document.md",
        "generator": "scripts/vectors/document.py",
        "provenance": "Documents around the keysets of 02-keyset.json. Evidence, collateral and admission are filler: parsing "
        "does not look inside. Every rejecting case differs from an accepted one in the one thing its id names.",
        "cases": [*_accepted(), *_form(), *_members(), *_values(), *_types()],
    }


def _accepted() -> Iterator[dict[str, Any]]:
    everything = " ".join(f"DOC-{number}" for number in range(1, 9))
    yield accept("document-accept-full", everything, OP, {"document": encode(document_members()).hex()})
    yield accept("document-accept-minimal", everything, OP, text())
    room = MAX_DOCUMENT - len(text()["document"]) // 2
    yield accept("document-accept-largest", "DOC-1", OP, text() | {"spaces": room})
    yield reject("document-reject-too-large", "DOC-1", OP, text() | {"spaces": room + 1}, Code.DOCUMENT_TOO_LARGE)
    yield accept("document-accept-empty-admission", "DOC-4", OP, text(admission=""))
    last = NONCES | {"index": 65535, "size": 65536, "path": ["00" * 32] * 16}
    yield accept("document-accept-largest-path", "DOC-3 DOC-4", OP, text(nonces=last))
    yield accept("document-accept-all-collateral", "DOC-8", OP, text(collateral=[item(role, b64(role.encode())) for role in ROLES]))
    unknown = [item("tcb-info", "QQ=="), item("vcek", "QQ=="), item("qe-identity")]
    yield accept("document-accept-unknown-collateral", "DOC-5 DOC-8", OP, text(collateral=unknown))


def _form() -> Iterator[dict[str, Any]]:
    raw = bytes.fromhex(text()["document"])
    broken = {
        "empty": b"",
        "truncated": raw[:-1],
        "trailing": raw + b"\0",
        "byte-order-mark": b"\xef\xbb\xbf" + raw,
        "duplicate-member": raw[:-1] + b',"nonces":null}',
        "duplicate-inner-member": raw.replace(b'"type"', b'"type": "sev-snp-report", "type"', 1),
        "utf-16": raw.decode().encode("utf-16"),
    }
    for name, value in broken.items():
        yield reject(f"document-reject-{name}", "DOC-1", OP, {"document": value.hex()}, Code.DOCUMENT_MALFORMED)
    later = {"document": encode({"version": 2, "new": 1}).hex()}
    yield reject("document-reject-version-2", "DOC-2", OP, later, Code.DOCUMENT_VERSION)
    yield reject("document-reject-version-0", "DOC-2", OP, text(version=0), Code.DOCUMENT_VERSION)
    yield reject("document-reject-version-text", "DOC-2", OP, text(version="1"), Code.DOCUMENT_MALFORMED)
    yield reject("document-reject-array", "DOC-2", OP, {"document": b"[]".hex()}, Code.DOCUMENT_MALFORMED)


def _members() -> Iterator[dict[str, Any]]:
    for name in document_members():
        members = document_members(**SMALL)
        del members[name]
        must = "DOC-2" if name == "version" else "DOC-3"
        yield reject(f"document-reject-without-{name}", must, OP, {"document": encode(members).hex()}, Code.DOCUMENT_MALFORMED)
    wrong: dict[str, dict[str, Any]] = {
        "unknown-member": {"unknown": 1},
        "unknown-item-member": {"evidence": [REPORT | {"unknown": 1}]},
        "keyset-as-object": {"keyset": small()},
        "no-evidence": {"evidence": []},
        "33-items-of-evidence": {"evidence": [item(f"t{i}") for i in range(33)]},
        "65-items-of-collateral": {"collateral": [item(f"t{i}") for i in range(65)]},
        "null-collateral": {"collateral": None},
        "upper-case-type": {"evidence": [item("SEV-SNP-REPORT")]},
        "admission-as-object": {"admission": {}},
        "numeric-time": {"issued_at": 1764072000},
        "upper-case-root": {"nonces": NONCES | {"root": NONCES["root"].upper()}},  # type: ignore[attr-defined]
        "short-node": {"nonces": NONCES | {"path": ["00" * 31]}},
        "17-nodes": {"nonces": NONCES | {"path": ["00" * 32] * 17}},
        "empty-tree": {"nonces": NONCES | {"index": 0, "size": 0}},
        "large-tree": {"nonces": NONCES | {"size": 65537}},
        "negative-index": {"nonces": NONCES | {"index": -1}},
    }
    for name, changes in wrong.items():
        yield reject(f"document-reject-{name}", "DOC-3", OP, text(**changes), Code.DOCUMENT_MALFORMED)


def _values() -> Iterator[dict[str, Any]]:
    wrong: dict[str, dict[str, Any]] = {
        "keyset-base64": {"keyset": "QR=="},
        "evidence-base64": {"evidence": [item("sev-snp-report", "QQ")]},
        "collateral-base64": {"collateral": [item("tcb-info", "Q-==")]},
        "admission-base64": {"admission": "QQ==\n"},
        "time-offset": {"issued_at": "2026-11-25T12:00:00+00:00"},
        "no-such-time": {"issued_at": "2026-11-31T12:00:00Z"},
        "index-at-size": {"nonces": NONCES | {"index": 2}},
    }
    for name, changes in wrong.items():
        yield reject(f"document-reject-{name}", "DOC-4", OP, text(**changes), Code.DOCUMENT_MALFORMED)


def _types() -> Iterator[dict[str, Any]]:
    twice: dict[str, dict[str, Any]] = {
        "evidence-twice": {"evidence": [REPORT, REPORT]},
        "collateral-twice": {"collateral": [item("vcek", "QQ=="), item("vcek", "QUI=")]},
        "unknown-collateral-twice": {"collateral": [item("tcb-info"), item("tcb-info")]},
    }
    for name, changes in twice.items():
        musts = "DOC-5 DOC-8" if "collateral" in changes else "DOC-5"
        yield reject(f"document-reject-{name}", musts, OP, text(**changes), Code.DOCUMENT_DUPLICATE)
    keysets = {
        "keyset-version": ({"version": 2}, Code.KEYSET_VERSION),
        "keyset-malformed": ({"version": 1}, Code.KEYSET_MALFORMED),
        "keyset-window": (keyset_members(not_after="2026-11-25T00:00:00Z"), Code.KEYSET_WINDOW),
    }
    for name, (members, code) in keysets.items():
        yield reject(f"document-reject-{name}", "DOC-6", OP, text(keyset=b64(encode(members))), code)
    for name, items in {"unknown-evidence": [REPORT, item("moon-quote")], "only-unknown-evidence": [item("x")]}.items():
        yield reject(f"document-reject-{name}", "DOC-7", OP, text(evidence=items), Code.DOCUMENT_EVIDENCE_TYPE)
