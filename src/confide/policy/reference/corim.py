"""CoRIM (draft-ietf-rats-corim-10): reference triples of SEV-SNP and TDX as reference values.

Two profiles say where the values stand: AMD's (draft-deeglaze-amd-sev-snp-corim-profile-02, by class-id) and the one for launch
measurements that IGVM tools write (by vendor, model and the name of the field). A constraint that has no member in an `accept`
entry refuses the file. Other triples say something else than what software measures, and are named in `left_out`. Refused too:
times outside of `rim-validity`, tags other than CoMID. Left to others: signatures and times (`envelope`), CBOR (`attest.cbor`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from confide.attest import cbor
from confide.attest.cbor import Tagged
from confide.attest.evidence import Kind
from confide.errors import EvidenceError
from confide.policy.members import shown
from confide.policy.reference.envelope import mapping, require_valid, untagged, verified
from confide.policy.reference.model import MAX_REFERENCES, Reference, References, malformed, unsupported

UNSIGNED, COMID = 501, 506  # tags (draft section 12.3)
URI, UUID, BYTES, SVN, MIN_SVN = 32, 37, 560, 552, 553
SHA384 = 7  # IANA Named Information, hash algorithms
LAUNCH = "tag:microsoft.com,2026:launch-measurement/v1"
TRIPLES = {1: "endorsed values", 2: "identity keys", 3: "attestation keys", 4: "dependencies", 5: "membership", 6: "CoSWID"}
TRIPLES |= {8: "conditional endorsement series", 10: "conditional endorsements"}
# draft-deeglaze-amd-sev-snp-corim-profile: signed with a VCEK, signed with a VLEK
AMD = (bytes.fromhex("d05e6d1b9f464ae2a610ce3e6ee7e153"), bytes.fromhex("89a7a1f0e7044faaacbd81c86df8a961"))
_Member = tuple[str, Any]


def read(data: bytes, *, signer: ec.EllipticCurvePublicKey | None, now: datetime) -> References:
    """The references in a manifest.

    Args:
        signer: who must have signed it; None takes an unsigned one and no signed one, whose signature nobody would have checked.
        now: for `rim-validity` and the signature's own.

    Raises:
        PolicyError: `reference.malformed`, `reference.signature`, `reference.time` or `reference.unsupported`.
    """
    try:
        payload = data if signer is None else verified(data, signer, now)
        corim = mapping(untagged(cbor.loads(payload), UNSIGNED, "an unsigned CoRIM"), "corim-map")
        require_valid(corim.get(4), now)
        found: list[Reference] = []
        left_out: dict[str, None] = {}
        for tag in _list(corim.get(1), "tags"):
            triples = mapping(mapping(_comid(tag), "concise-mid-tag").get(4), "triples-map")
            left_out |= dict.fromkeys(TRIPLES.get(key, f"triples of number {key}") for key in triples if key != 0)
            found += [_reference(record, corim.get(3)) for record in _list(triples.get(0, []), "reference-triples")]
    except EvidenceError as error:
        raise malformed(f"{error.code.value} {error.found}"[:200], "a CoRIM of draft-ietf-rats-corim") from None
    if not found:
        raise malformed("no reference triple", "at least one")
    return References(_name(corim.get(0)), signer is not None, tuple(found), tuple(left_out))


def _comid(tag: Any) -> Any:
    """Draft section 4.1.2: tags are CoMIDs in byte strings."""
    if not isinstance(tag, Tagged) or tag.tag != COMID or not isinstance(tag.value, bytes):
        raise unsupported("a tag that is no CoMID", f"tag {COMID}")
    return cbor.loads(tag.value)


def _reference(record: Any, profile: Any) -> Reference:
    """Draft section 5.1.5: an environment and its measurements."""
    environment, measurements = _pair(record, "reference-triple-record")
    kind, member = _reader(mapping(environment, "environment-map"), profile)
    members: dict[str, Any] = {}
    for measurement in _list(measurements, "measurements"):
        each = mapping(measurement, "measurement-map")
        if set(each) - {0, 1}:
            raise unsupported("a measurement with an authority", "one without")
        for name, value in member(each.get(0), mapping(each.get(1), "measurement-values-map")):
            if name in members:
                raise malformed(f"{name} twice in a reference", "once")
            members[name] = value
    if not members:
        raise malformed("a reference without values", "at least one")
    return Reference(kind, members)


_Reader = Callable[[Any, Mapping[Any, Any]], Iterator[_Member]]


def _reader(environment: Mapping[Any, Any], profile: Any) -> tuple[Kind, _Reader]:
    """Which profile an environment is of (draft section 5.1.4: class, instance, group)."""
    if set(environment) != {0}:
        raise unsupported("an instance or a group", "a class alone")
    known = mapping(environment[0], "class-map")
    identity = known.get(0)
    if isinstance(identity, Tagged) and identity.tag == UUID and identity.value in AMD and set(known) == {0}:
        return Kind.SNP, _amd
    profile = profile.value if isinstance(profile, Tagged) and profile.tag == URI else profile
    if profile == LAUNCH and known == {1: "AMD", 2: "SEV-SNP"}:
        return Kind.SNP, lambda key, values: _launch(key, values, "MEASUREMENT", "measurements")
    if profile == LAUNCH and known == {1: "Intel", 2: "TDX"}:
        return Kind.TDX, lambda key, values: _launch(key, values, "MRTD", "mr_tds")
    named = ", ".join(shown(str(known[key]), limit=40) for key in (1, 2) if key in known)
    raise unsupported(f"a class of {named or 'another profile'}", "SEV-SNP or TDX in one of the profiles that are read")


def _launch(key: Any, values: Mapping[Any, Any], field: str, member: str) -> Iterator[_Member]:
    """Measurements by the name of the evidence's field."""
    if key != field or set(values) != {2}:
        raise unsupported(shown(f"measurement {key!r}", limit=60), f"{field} and its digest")
    yield member, [_sha384(values[2])]


def _amd(key: Any, values: Mapping[Any, Any]) -> Iterator[_Member]:
    """AMD's profile, section "AMD SEV-SNP measurements": mkey 0 the guest, 5 and 6 who signed it, 8 what the host gave."""
    raws = {5: ("id_key_digests", 48), 6: ("author_key_digests", 48), 8: ("host_data", 32)}
    number = 0 if key is None else key if type(key) is int else -1
    if number in raws and set(values) == {4}:
        name, size = raws[number]
        yield name, [_raw(values[4], size)]
    elif number == 0 and values and not set(values) - {0, 1, 2, 4}:
        readers: dict[int, Callable[[Any], _Member]] = {
            0: lambda value: ("image_ids", [_image(value)]),
            1: lambda value: ("minimum_guest_svn", _svn(value)),
            2: lambda value: ("measurements", [_sha384(value)]),
            4: lambda value: ("family_ids", [_raw(value, 16)]),
        }
        yield from (readers[code](value) for code, value in values.items())
    else:
        raise unsupported(shown(f"measurement {key!r} with values {sorted(map(str, values))}", limit=100), "mkey 0, 5, 6 or 8")


def _sha384(digests: Any) -> str:
    """The one digest of a measurement, which must be SHA-384 (draft section 7.7)."""
    digest = _list(digests, "digests")
    algorithm, value = _pair(digest[0], "digest") if len(digest) == 1 else (None, None)
    if algorithm != SHA384 or not isinstance(value, bytes) or len(value) != 48:
        raise malformed("a digest of another kind", "one of SHA-384")
    return value.hex()


def _raw(value: Any, size: int) -> str:
    data = untagged(value, BYTES, "raw bytes")
    if not isinstance(data, bytes) or len(data) != size:
        raise malformed("raw bytes of another length", f"{size} bytes")
    return data.hex()


def _image(version: Any) -> str:
    """IMAGE_ID stands as hex in a `version-map`."""
    text = mapping(version, "version-map").get(0)
    if not isinstance(text, str):
        raise malformed("a version that is no text", "IMAGE_ID in hex")
    return text.lower()


def _svn(value: Any) -> int:
    """A guest's number is a minimum here (#6.553); an exact one (#6.552) has no member in an `accept` entry."""
    if isinstance(value, Tagged) and value.tag == SVN:
        raise unsupported("an exact SVN", "a minimum")
    number = untagged(value, MIN_SVN, "a minimum SVN")
    if type(number) is not int or number < 0:
        raise malformed("an SVN of another form", "a number")
    return number


def _name(identity: Any) -> str:
    text = identity.value.hex() if isinstance(identity, Tagged) and isinstance(identity.value, bytes) else str(identity)
    return shown(text, limit=200)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_REFERENCES:
        raise malformed(f"no {what}, or too many", f"an array of at most {MAX_REFERENCES}")
    return value


def _pair(value: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise malformed(f"no {what}", "a pair")
    return value[0], value[1]
