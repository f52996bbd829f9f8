"""CoRIMs of an imaginary maker: one thing at a time is different."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from confide.policy.reference.corim import LAUNCH
from confide_sim.aws import Raw, cbor, head

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
VCEK = bytes.fromhex("d05e6d1b9f464ae2a610ce3e6ee7e153")
VLEK = bytes.fromhex("89a7a1f0e7044faaacbd81c86df8a961")
MEASURED = b"\x5a" * 48
_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
KEYS = {name: ec.derive_private_key(9, curve) for name, curve in _CURVES.items()}
KEY = KEYS["ES384"]
_HOW = {"ES256": (-7, SHA256(), 32), "ES384": (-35, SHA384(), 48), "ES512": (-36, SHA512(), 66)}


def tagged(tag: int, value: Any) -> Raw:
    return Raw(head(6, tag) + cbor(value))


def digest(value: bytes = MEASURED, algorithm: int = 7) -> list[Any]:
    return [[algorithm, value]]


def amd(*measurements: Any, environment: Mapping[int, Any] | None = None) -> list[Any]:
    """A reference triple of AMD's profile; by default of one measurement, the digest."""
    given = measurements or ({0: 0, 1: {2: digest()}},)
    return [{0: {0: tagged(37, VCEK)}} if environment is None else environment, list(given)]


def launch(vendor: str = "AMD", model: str = "SEV-SNP", field: Any = "MEASUREMENT", **overrides: Any) -> list[Any]:
    """A reference triple of the profile for launch measurements."""
    return [{0: {1: vendor, 2: model}}, [{0: field, 1: overrides.get("values", {2: digest()})}]]


def corim(*triples: Any, profile: Any = None, validity: Any = None, more: Mapping[int, Any] | None = None, **top: Any) -> bytes:
    """An unsigned manifest; `more` are other triples, `top` may replace `tags`, `tag` or `comid`."""
    comid = top.get("comid", {1: {0: "comid"}, 4: {0: list(triples or (amd(),)), **(more or {})}})
    tags = top.get("tags", [tagged(506, cbor(comid))])
    whole = {0: "image 7", 1: tags} | ({} if profile is None else {3: profile}) | ({} if validity is None else {4: validity})
    return tagged(top.get("tag", 501), whole).data


def launched(*triples: Any, **how: Any) -> bytes:
    return corim(*(triples or (launch(),)), profile=LAUNCH, **how)


def signed(payload: bytes, *, alg: str = "ES384", header: Mapping[int, Any] | None = None) -> bytes:
    """COSE_Sign1 of a manifest (RFC 9052 section 4.4)."""
    number, hashed, size = _HOW[alg]
    protected = cbor({1: number, 3: "application/rim+cbor"} | dict(header or {}))
    whole = cbor(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(KEYS[alg].sign(whole, ec.ECDSA(hashed)))
    return tagged(18, [protected, {}, payload, r.to_bytes(size) + s.to_bytes(size)]).data
