"""The evidence document: what a node hands out, what a bundle file holds, what `policy.verify` reads (spec/04-document.md).

One strict JSON object with the exact keyset bytes, the client's nonce path, evidence in the manner of RATS conceptual message
wrappers (type and value), vendor collateral, admission and issue time. Parsing proves nothing: it only makes typed, bounded values.
Left to others: whether the evidence is genuine (`attest.verifiers`), and whether anyone wants it (`policy`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import Meta

from confide.attest.admission import MAX_ADMISSION
from confide.attest.binding import MAX_NONCES, MAX_PATH, NO_NONCES, NONCE_SIZE, binding, join_device_evidence
from confide.attest.checks import Checks
from confide.attest.evidence import Endorsements, Evidence, Kind
from confide.attest.keyset import MAX_KEYSET, Keyset, parse_keyset
from confide.attest.reading import VERSION, Format, malformed, read
from confide.attest.wire import collateral_name, collateral_share, evidence_name, evidence_place
from confide.codes import Code
from confide.errors import EvidenceError, MisuseError
from confide.formats import merkle, strictjson
from confide.formats.fields import Count, Hex32, format_time, parse_time

MEDIA_TYPE = "application/confide-evidence+json"
MAX_DOCUMENT = 1 << 20  # eight GPUs and four switches with chains and manifests take about 600 KiB in base 64; SNP alone 20 KiB

MAX_EVIDENCE = 32
MAX_COLLATERAL = 64
DEVICE_KINDS = frozenset({Kind.NVIDIA})  # what the binding covers as device evidence; TPM quotes never are (DESIGN section 4)

FORMAT = Format(MAX_DOCUMENT, too_large=Code.DOCUMENT_TOO_LARGE, malformed=Code.DOCUMENT_MALFORMED, version=Code.DOCUMENT_VERSION)


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
        collateral: known items by their name on the wire; `endorsements_of` gives each evidence its own.
        admission: the bytes of a DSSE envelope, if the owner admitted this node.
        issued_at: the host's clock, so a hint only.
        skipped: types of collateral unknown here.
    """

    raw: bytes = field(repr=False)
    keyset: Keyset
    nonces: bytes
    nonce_path: NoncePath | None
    evidence: tuple[Evidence, ...]
    collateral: Mapping[str, bytes] = field(repr=False)
    admission: bytes | None = field(repr=False)
    issued_at: datetime
    skipped: tuple[str, ...]

    @property
    def binding(self) -> bytes:
        """What the TEE's evidence must carry: 64 bytes over nonces, keyset and device evidence."""
        return binding(nonces=self.nonces, keyset=self.keyset.raw, device_evidence=self.device_evidence)

    @property
    def device_evidence(self) -> bytes:
        """The devices' reports in index order, each behind its length."""
        devices = sorted((each for each in self.evidence if each.kind in DEVICE_KINDS), key=lambda each: each.index)
        return join_device_evidence([part for each in devices for part in each.items.values()])

    def endorsements_of(self, evidence: Evidence) -> Endorsements:
        """The collateral that serves this evidence. A device without items of its own takes those of the nearest lower index."""
        found: dict[str, tuple[int, bytes]] = {}
        for name, value in self.collateral.items():
            known = collateral_share(name)
            if known is None or evidence.kind not in known[0].kinds:
                continue
            share, index = known
            at = -1 if index is None else index
            if at <= evidence.index and at >= found.get(share.role, (-1, b""))[0]:
                found[share.role] = (at, value)
        return Endorsements({role: value for role, (_, value) in found.items()})


def piece_of(evidence: Evidence) -> str:
    """How a piece of evidence is called when it is spoken of: by its kind, and devices by their number too."""
    return f"{evidence.kind} {evidence.index}" if evidence.kind in DEVICE_KINDS else evidence.kind


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
        collateral=MappingProxyType({name: value for name, value in collateral.items() if collateral_share(name)}),
        admission=admission,
        issued_at=issued_at,
        skipped=tuple(name for name in collateral if collateral_share(name) is None),
    )


def build_document(
    *,
    keyset: Keyset,
    evidence: Evidence,
    endorsements: Endorsements,
    issued_at: datetime,
    others: Sequence[tuple[Evidence, Endorsements]] = (),
    nonces: bytes = NO_NONCES,
    nonce_path: NoncePath | None = None,
    admission: bytes | None = None,
) -> bytes:
    """The bytes of a document. `nonces` (the root) and `nonce_path` come together or not at all.

    Args:
        others: evidence beside that of the TEE itself, such as its GPUs, each with its own collateral. What is equal to an
            earlier item of the same role is written once.

    Raises:
        MisuseError: `binding.length` when one comes without the other.
        EvidenceError: `document.evidence_type` for evidence that has no type on the wire.
    """
    if (nonces == NO_NONCES) != (nonce_path is None):
        raise MisuseError(Code.BINDING_LENGTH, found="a root or a path alone", wanted="a nonce root with its path")
    parts = [(evidence, endorsements), *others]
    members = {
        "version": VERSION,
        "keyset": strictjson.b64(keyset.raw),
        "nonces": _nonce_members(nonces, nonce_path) if nonce_path else None,
        "evidence": [_item(name, value) for part in parts for name, value in _named_evidence(part[0])],
        "collateral": [_item(name, value) for name, value in _named_collateral(parts).items()],
        "admission": None if admission is None else strictjson.b64(admission),
        "issued_at": format_time(issued_at),
    }
    return strictjson.dumps(members)


def add_collateral(document: Document, added: Mapping[str, bytes]) -> bytes:
    """The document with more items of collateral, by their names on the wire; everything else to the byte as it was.

    Nothing signs a document as a whole: evidence and collateral prove themselves.

    Raises:
        EvidenceError: `document.duplicate` for a name that is there already, `document.too_large`.
    """
    members = strictjson.loads(document.raw, limit=MAX_DOCUMENT)
    members["collateral"] += [_item(name, value) for name, value in added.items()]
    raw = strictjson.dumps(members)
    return parse_document(raw).raw


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
    """Items joined to one `Evidence` for each kind and device. Unknown evidence refuses: ignoring it would be believing less
    than was sent."""
    found: dict[tuple[Kind, int], dict[str, bytes]] = {}
    for name, value in values.items():
        place = evidence_place(name)
        if place is None:
            raise EvidenceError(Code.DOCUMENT_EVIDENCE_TYPE, found=name, wanted="a type of spec/04-document.md")
        found.setdefault((place.kind, place.index), {})[place.role] = value
    return tuple(Evidence(kind, items, index) for (kind, index), items in found.items())


def _named_evidence(part: Evidence) -> Iterator[tuple[str, bytes]]:
    for role, value in part.items.items():
        name = evidence_name(part.kind, role, part.index)
        if name is None:
            raise EvidenceError(Code.DOCUMENT_EVIDENCE_TYPE, found=f"{part.kind} {role}", wanted="a role of spec/04-document.md")
        yield name, value


def _named_collateral(parts: Sequence[tuple[Evidence, Endorsements]]) -> dict[str, bytes]:
    """Items by name. A device's item that an earlier device has given already is left to `endorsements_of`."""
    named: dict[str, bytes] = {}
    latest: dict[tuple[str, str], bytes] = {}
    for evidence, endorsements in parts:
        for role, value in endorsements.items.items():
            name = collateral_name(evidence.kind, role, evidence.index)
            if name is None:
                raise EvidenceError(
                    Code.DOCUMENT_EVIDENCE_TYPE, found=f"{evidence.kind} {role}", wanted="a role of spec/04-document.md"
                )
            if latest.get((evidence.kind, role)) != value:
                named[name] = latest[evidence.kind, role] = value
    return named


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
