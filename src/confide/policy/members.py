"""Errors about a policy file's members, and plain values as structs: shared by `schema` and the module of each kind of TEE."""

import re
from typing import Any, TypeVar

import msgspec

from confide.codes import Code
from confide.errors import PolicyError

UNSAFE = "unsafe_ignored"

T = TypeVar("T")
_COMPLAINT = re.compile(r"(?P<what>.*) - at `\$\.?(?P<member>.+)`\Z", re.DOTALL)  # as msgspec words it


def convert(value: Any, kind: type[T]) -> T:
    """Plain values as a struct; `policy.shape` says which member is wrong. A policy holds no secrets, so its words are shown."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise PolicyError(Code.POLICY_SHAPE, found=shown(_told(str(error))), wanted="the members of spec/06-policy.md") from None


def _told(complaint: str) -> str:
    """The member first, then what is wrong with it."""
    found = _COMPLAINT.match(complaint)
    return f"{found['member']}: {found['what'][:1].lower()}{found['what'][1:]}" if found else complaint


def shown(text: str, *, limit: int | None = 200) -> str:
    """The beginning of a text, in characters of which none can steer a terminal."""
    text = text[:limit]
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)[:limit]


def shape(member: str, found: str, wanted: str) -> PolicyError:
    """`policy.shape` for what the types cannot say."""
    return PolicyError(Code.POLICY_SHAPE, found=shown(f"{member} = {found}"), wanted=wanted)


def unconstrained(member: str, wanted: str) -> PolicyError:
    """`policy.unconstrained` for an absent member without a strict default."""
    hint = f'add it; to accept anything, write {member} = "{UNSAFE}", which every verdict then shows'
    return PolicyError(Code.POLICY_UNCONSTRAINED, found=f"no {member}", wanted=wanted, hint=hint)
