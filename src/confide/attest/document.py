"""The evidence document: what a node hands out, what a bundle file holds, what `policy.verify` reads (spec/04-document.md).

One strict JSON object with the exact keyset bytes, the client's nonce path, evidence in the manner of RATS conceptual message
wrappers (type and value), vendor collateral, admission and issue time. Parsing proves nothing: it only makes typed, bounded values.
Left to others: whether the evidence is genuine (`attest.verifiers`), and whether anyone wants it (`policy`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from confide.attest.admission import MAX_ADMISSION
from confide.attest.binding import MAX_NONCES, MAX_PATH, NO_NONCES, NONCE_SIZE, binding
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.keyset import MAX_KEYSET, Keyset, parse_keyset
from confide.attest.reading import VERSION, Format, malformed, read
from confide.codes import Code
from confide.errors import EvidenceError, MisuseError
from confide.formats import merkle, strictjson
from confide.formats.fields import Count, Hex32, format_time, parse_time

MEDIA_TYPE = "application/confide-evidence+json"
MAX_DOCUMENT = 1 << 20  # eight GPUs and four switches with chains and manifests take about 600 KiB in base 64; SNP alone 20 KiB

MAX_EVIDENCE = 32
MAX_COLLATERAL = 64

FORMAT = Format(MAX_DOCUMENT, too_large=Code.DOCUMENT_TOO_LARGE, malformed=Code.DOCUMENT_MALFORMED, version=Code.DOCUMENT_VERSION)


class _Place(NamedTuple):
    kind: Kind
    role: str


# Type on the wire -> kind and role in `Evidence`. A kind adds its rows together with its verifier.
EVIDENCE_TYPES = {"sev-snp-report": _Place(Kind.SNP, "report")}
# Type on the wire = role in `Endorsements`. Unknown collateral is left out: it can only be missed, never mislead.
COLLATERAL_TYPES = frozenset({"vcek", "vlek", "ask", "asvk", "ark", "cert-chain", "crl"})


@dataclass(frozen=True)
class NoncePath:
    """Where the client's nonce stands among those gathered, and the RFC 9162 inclusion path from it to the root."""

    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Document:
    """A parsed, unverified evidence document.

    Attributes:
        raw: the exact bytes.
        nonces: the root that the binding covers; `NO_NONCES` when the evidence was made for nobody in particular.
        nonce_path: the way from this client's nonce to the root; None exactly when there are no nonces.
        admission: the bytes of a DSSE envelope, if the owner admitted this node.
        issued_at: the host's clock, so a hint only.
        skipped: types of collateral unknown here.
    """

    raw: bytes = field(repr=False)
    keyset: Keyset
    nonces: bytes
    nonce_path: NoncePath | None
    evidence: tuple[Evidence, ...]
    endorsements: Endorsements
    admission: bytes | None = field(repr=False)
    issued_at: datetime
    skipped: tuple[str, ...]

    @property
    def binding(self) -> bytes:
        """What the TEE's evidence must carry. No kind of device evidence is known yet, so its part is empty."""
        return binding(nonces=self.nonces, keyset=self.keyset.raw)


class _Nonces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    root: Hex32
    index: Count
    size: Annotated[int, Meta(ge=1, le=MAX_NONCES)]
    path: Annotated[list[Hex32], Meta(max_length=MAX_PATH)]


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,63}\Z")]
    value: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1: every member is always present; null says "none"."""

    version: int
    keyset: str
    nonces: _Nonces | None
    evidence: Annotated[list[_Item], Meta(min_length=1, max_length=MAX_EVIDENCE)]
    collateral: Annotated[list[_Item], Meta(max_length=MAX_COLLATERAL)]
    admission: str | None
    issued_at: str


def parse_document(raw: bytes) -> Document:
    """The document that `raw` says, its keyset parsed too.

    Raises:
        EvidenceError: `document.too_large`, `document.malformed`, `document.version`, `document.evidence_type`,
            `document.duplicate`, or what `parse_keyset` raises.
    """
    parsed = read(raw, _Document, FORMAT)
    with malformed(FORMAT):
        keyset = strictjson.unb64(parsed.keyset, limit=MAX_KEYSET)
        evidence, collateral = _values(parsed.evidence), _values(parsed.collateral)
        admission = None if parsed.admission is None else strictjson.unb64(parsed.admission, limit=MAX_ADMISSION)
        issued_at = parse_time(parsed.issued_at)
    nonce_path = _nonce_path(parsed.nonces) if parsed.nonces else None
    return Document(
        raw=raw,
        keyset=parse_keyset(keyset),
        nonces=bytes.fromhex(parsed.nonces.root) if parsed.nonces else NO_NONCES,
        nonce_path=nonce_path,
        evidence=_evidence(evidence),
        endorsements=Endorsements({role: value for role, value in collateral.items() if role in COLLATERAL_TYPES}),
        admission=admission,
        issued_at=issued_at,
        skipped=tuple(role for role in collateral if role not in COLLATERAL_TYPES),
    )


def build_document(
    *,
    keyset: Keyset,
    evidence: Sequence[Evidence],
    endorsements: Endorsements,
    issued_at: datetime,
    nonces: bytes = NO_NONCES,
    nonce_path: NoncePath | None = None,
    admission: bytes | None = None,
) -> bytes:
    """The bytes of a document. `nonces` (the root) and `nonce_path` come together or not at all.

    Raises:
        MisuseError: `binding.length` when one comes without the other.
        EvidenceError: `document.evidence_type` for evidence that has no type on the wire.
    """
    if (nonces == NO_NONCES) != (nonce_path is None):
        raise MisuseError(Code.BINDING_LENGTH, found="a root or a path alone", wanted="a nonce root with its path")
    members = {
        "version": VERSION,
        "keyset": strictjson.b64(keyset.raw),
        "nonces": _nonce_members(nonces, nonce_path) if nonce_path else None,
        "evidence": [_item(_type_of(part.kind, role), value) for part in evidence for role, value in part.items.items()],
        "collateral": [_item(role, value) for role, value in endorsements.items.items()],
        "admission": None if admission is None else strictjson.b64(admission),
        "issued_at": format_time(issued_at),
    }
    return strictjson.dumps(members)


def check_nonce(document: Document, nonce: bytes, checks: Checks) -> None:
    """Check that the document's path leads from the caller's own nonce to the root that the binding covers.

    Raises:
        MisuseError: `verdict.nonce_form` unless the nonce is 32 bytes other than zero.
        EvidenceError: through `checks`, `verdict.no_nonce` or `verdict.nonce`.
    """
    if len(nonce) != NONCE_SIZE or nonce == NO_NONCES:
        raise MisuseError(Code.VERDICT_NONCE_FORM, found=f"{len(nonce)} bytes", wanted=f"{NONCE_SIZE} random bytes")
    title = "the caller's nonce"
    if document.nonce_path is None:
        checks.require(False, Code.VERDICT_NO_NONCE, title, found="evidence without nonces", wanted=nonce.hex())
        return
    at = document.nonce_path
    ok = _leads(merkle.leaf_hash(nonce), at, document.nonces)
    found = f"root {document.nonces.hex()}, path from leaf {at.index} of {at.size}"
    checks.require(ok, Code.VERDICT_NONCE, title, found=found, wanted=f"a path from {nonce.hex()}")


def _leads(leaf: bytes, at: NoncePath, root: bytes) -> bool:
    """The one place that turns a proof's error into a boolean: `Checks.require` raises the right code."""
    try:
        merkle.verify_inclusion(leaf, index=at.index, size=at.size, path=at.path, root=root)
    except merkle.ProofError:
        return False
    return True


def _values(items: list[_Item]) -> dict[str, bytes]:
    values = {item.type: strictjson.unb64(item.value, limit=MAX_DOCUMENT) for item in items}
    if len(values) != len(items):
        raise EvidenceError(
            Code.DOCUMENT_DUPLICATE, found=f"{len(items)} items of {len(values)} types", wanted="one item of each type"
        )
    return values


def _evidence(values: dict[str, bytes]) -> tuple[Evidence, ...]:
    """Items joined to one `Evidence` for each kind. Unknown evidence refuses: ignoring it would be believing less than was sent."""
    kinds: dict[Kind, dict[str, bytes]] = {}
    for name, value in values.items():
        place = EVIDENCE_TYPES.get(name)
        if place is None:
            raise EvidenceError(Code.DOCUMENT_EVIDENCE_TYPE, found=name, wanted=f"any of {sorted(EVIDENCE_TYPES)}")
        kinds.setdefault(place.kind, {})[place.role] = value
    return tuple(Evidence(kind, items) for kind, items in kinds.items())


def _type_of(kind: str, role: str) -> str:
    for name, place in EVIDENCE_TYPES.items():
        if place == (kind, role):
            return name
    raise EvidenceError(Code.DOCUMENT_EVIDENCE_TYPE, found=f"{kind} {role}", wanted=f"any of {sorted(EVIDENCE_TYPES)}")


def _nonce_path(nonces: _Nonces) -> NoncePath:
    if nonces.index >= nonces.size:
        raise EvidenceError(
            Code.DOCUMENT_MALFORMED, found=f"nonce {nonces.index} of {nonces.size}", wanted="an index below the size"
        )
    return NoncePath(nonces.index, nonces.size, tuple(bytes.fromhex(node) for node in nonces.path))


def _nonce_members(root: bytes, at: NoncePath) -> dict[str, object]:
    return {"root": root.hex(), "index": at.index, "size": at.size, "path": [node.hex() for node in at.path]}


def _item(name: str, value: bytes) -> dict[str, str]:
    return {"type": name, "value": strictjson.b64(value)}
