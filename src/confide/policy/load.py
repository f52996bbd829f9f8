"""Policies from bytes: TOML, JSON, or a signed DSSE envelope around JSON (spec/06-policy.md).

The signature is checked before the payload is read; the exact bytes give the digest. Unknown members, unknown versions and absent
constraints refuse. Left to others: the members' types (`schema`), each TEE's own members (`accept`), files (`client`, `cli`).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from confide.codes import Code
from confide.errors import PolicyError
from confide.formats import dsse, strictjson, toml
from confide.formats.fields import format_time
from confide.policy.model import PAYLOAD_TYPE, VERSION, Policy
from confide.policy.schema import to_policy

MAX_POLICY = 256 * 1024  # bytes; a measurement costs about 100, a chip id 130
MAX_ENVELOPE = 2 * MAX_POLICY  # base 64 and up to 8 signatures


def load_policy(data: bytes, *, name_hint: str = "policy.toml", keys: tuple[dsse.PublicKey, ...] = ()) -> Policy:
    """The policy that `data` says.

    Args:
        name_hint: how messages call the file.
        keys: when given, only an envelope signed by one of them is accepted; when not, only an unsigned file is, because a
            signature that nobody checked must not look like one.

    Raises:
        PolicyError: `policy.malformed`, `policy.signer`, `policy.version`, `policy.shape` or `policy.unconstrained`.
    """
    if len(data) > MAX_ENVELOPE:
        raise _malformed(name_hint, f"{len(data)} bytes", f"at most {MAX_POLICY}")
    if not data.lstrip(b" \t\r\n").startswith(b"{"):
        _require_unsigned_is_wanted(name_hint, keys)
        return _policy(_toml(data, name_hint), data, raw=data)
    members = _json(data, name_hint, limit=MAX_ENVELOPE)
    if "payloadType" not in members:
        _require_unsigned_is_wanted(name_hint, keys)
        return _policy(members, data, raw=data)
    payload, signer = _signed(data, name_hint, keys)
    return _policy(_json(payload, name_hint, limit=MAX_POLICY), payload, raw=data, signer=signer)


def sign_policy(data: bytes, *, keys: tuple[dsse.SigningKey, ...]) -> bytes:
    """A DSSE envelope around the policy in `data` (unsigned TOML or JSON), which must load. Raises as `load_policy`."""
    return dsse.sign(strictjson.dumps(plain_members(data)), payload_type=PAYLOAD_TYPE, keys=keys)


def plain_members(data: bytes, *, name_hint: str = "the policy") -> Mapping[str, Any]:
    """The members of an unsigned policy (TOML or JSON), which must load. Raises as `load_policy`."""
    load_policy(data, name_hint=name_hint)
    return _json(data, name_hint, limit=MAX_POLICY) if data.lstrip().startswith(b"{") else _toml(data, name_hint)


def _policy(members: Mapping[str, Any], data: bytes, *, raw: bytes, signer: str = "") -> Policy:
    if len(data) > MAX_POLICY:
        raise _malformed("policy", f"{len(data)} bytes", f"at most {MAX_POLICY}")
    version = members.get("version")
    if type(version) is int and version != VERSION:  # told before members that this version does not know
        raise PolicyError(Code.POLICY_VERSION, found=f"version {version}", wanted=f"version {VERSION}")
    return to_policy(members, digest=hashlib.sha256(data).digest(), raw=raw, signer=signer)


def _signed(data: bytes, name_hint: str, keys: tuple[dsse.PublicKey, ...]) -> tuple[bytes, str]:
    if not keys:
        raise PolicyError(
            Code.POLICY_SIGNER, found=f"{name_hint} is signed", wanted="the keys that may sign it, named by the caller"
        )
    try:
        payload, key = dsse.verify(data, payload_type=PAYLOAD_TYPE, keys=keys, limit=MAX_ENVELOPE)
    except dsse.DsseError as error:
        code = Code.POLICY_SIGNER if error.code is Code.DSSE_SIGNATURE else Code.POLICY_MALFORMED
        raise PolicyError(code, found=f"{error.code.value} {error.found}", wanted=error.wanted) from None
    return payload, key.keyid


def _require_unsigned_is_wanted(name_hint: str, keys: tuple[dsse.PublicKey, ...]) -> None:
    if keys:
        raise PolicyError(Code.POLICY_SIGNER, found=f"{name_hint} is not signed", wanted=f"a signature by any of {len(keys)} keys")


def _json(data: bytes, name_hint: str, *, limit: int) -> Mapping[str, Any]:
    try:
        members = strictjson.loads(data, limit=limit)
    except strictjson.JsonError as error:
        raise _malformed(name_hint, f"{error.code.value} {error.found}", error.wanted) from None
    if not isinstance(members, dict):
        raise _malformed(name_hint, "no object", "a JSON object")
    return members


def _toml(data: bytes, name_hint: str) -> Mapping[str, Any]:
    """TOML as the same plain values that JSON gives: an offset date-time becomes its RFC 3339 text in UTC."""
    try:
        return {name: _plain(value) for name, value in toml.loads(data, limit=MAX_POLICY).items()}
    except toml.TomlError as error:
        raise _malformed(name_hint, error.found, "TOML or JSON" if error.wanted == "TOML" else error.wanted) from None
    except (RecursionError, ValueError, OverflowError, strictjson.JsonError):
        raise _malformed(name_hint, "nesting, numbers or times out of bounds", "TOML or JSON") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return format_time(value)
    return value  # other dates and times are of no member's type, and refuse there


def _malformed(name_hint: str, found: str, wanted: str) -> PolicyError:
    return PolicyError(Code.POLICY_MALFORMED, found=f"{name_hint}: {found}", wanted=wanted)
