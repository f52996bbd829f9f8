"""The runtime data of an HCL report: JSON with keys as JWK (RFC 7517), the VM's configuration, and 64 bytes that the guest may set
(Microsoft Learn, "Confidential VM guest attestation", "Runtime claims"). Exact bytes are hashed elsewhere (`hcl`); here they are
read, strictly: a member twice could mean one thing to the paravisor and another to us.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from confide.attest.tpm.public import MAX_RSA, MIN_RSA
from confide.codes import Code
from confide.errors import EvidenceError
from confide.formats import strictjson

MAX_RUNTIME = 4096
MAX_KEYS = 8
MAX_NAME = 64
USER_DATA_SIZE = 64  # NV index 0x01400002
AK = "HCLAkPub"


@dataclass(frozen=True)
class Runtime:
    """Decoded runtime data.

    Attributes:
        keys: RSA keys by their `kid`; keys of other types are left out.
        configuration: `vm-configuration`.
        user_data: what the guest has set; None where the member is missing.
    """

    keys: Mapping[str, rsa.RSAPublicKey] = field(repr=False)
    configuration: Mapping[str, Any]
    user_data: bytes | None = field(repr=False)


def parse_runtime(data: bytes) -> Runtime:
    """The runtime data in `data`; `azure.runtime` for anything else."""
    try:
        members = strictjson.loads(data, limit=MAX_RUNTIME)
    except strictjson.JsonError as error:
        raise _malformed(f"{error.code.value} {error.found}", "strict JSON") from None
    if not isinstance(members, dict):
        raise _malformed(type(members).__name__, "an object")
    keys, configuration = members.get("keys"), members.get("vm-configuration", {})
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS or not isinstance(configuration, dict):
        raise _malformed("other members", f"1 to {MAX_KEYS} keys, and vm-configuration")
    found: dict[str, rsa.RSAPublicKey] = {}
    for key in keys:
        name, value = _jwk(key)
        if name in found:
            raise _malformed("a key twice", "each kid once")
        found |= {} if value is None else {name: value}
    if AK not in found:
        raise _malformed(f"{len(found)} RSA keys without it", AK)
    return Runtime(MappingProxyType(found), MappingProxyType(configuration), _user_data(members.get("user-data")))


def _jwk(key: Any) -> tuple[str, rsa.RSAPublicKey | None]:
    """`kid`, and the key where it is RSA (RFC 7518 section 6.3.1). `key_ops` tells nothing: paravisors of 2023 say "encrypt" of all
    keys."""
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str) or len(key["kid"]) > MAX_NAME:
        raise _malformed("a key of another form", "a JWK with a kid")
    if key.get("kty") != "RSA":
        return key["kid"], None
    try:
        n, e = (int.from_bytes(_base64url(key[name])) for name in ("n", "e"))
        public = rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, KeyError, TypeError, AttributeError, strictjson.JsonError):
        raise _malformed("an RSA key that does not decode", "n and e in base64url") from None
    if not MIN_RSA <= public.key_size <= MAX_RSA:
        raise _malformed(f"RSA {public.key_size}", f"RSA {MIN_RSA} to {MAX_RSA}")
    return key["kid"], public


def _base64url(text: str) -> bytes:
    """RFC 4648 section 5 without padding, in its one spelling."""
    standard = text.replace("-", "+").replace("_", "/")
    return strictjson.unb64(standard + "=" * (-len(standard) % 4), limit=MAX_RSA // 8)


def _user_data(value: Any) -> bytes | None:
    """64 bytes in hex, of either case."""
    if value is None:
        return None
    try:
        data = bytes.fromhex(value)
    except (ValueError, TypeError):
        data = b""
    if len(data) != USER_DATA_SIZE:
        raise _malformed("user-data of another form", f"{USER_DATA_SIZE} bytes in hex")
    return data


def _malformed(found: str, wanted: str) -> EvidenceError:
    return EvidenceError(Code.AZURE_RUNTIME, found=found, wanted=wanted)
