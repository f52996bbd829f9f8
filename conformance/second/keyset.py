"""Keysets (02-keyset.md), and the place of one in an evidence document (04-document.md).

A document is opened only as far as DOC-1 to DOC-3 and its `keyset` need; its evidence, collateral and admission are for a verifier
of 07-verify.md. The steps of a keyset stand in `_check_keys` in the order of the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from conformance.second.dsse import ED25519, KEY_SIZES, ML_DSA_65, SigningKey
from conformance.second.strict_json import NAME, Reader, Refused

MAX_KEYSET = 131072
MAX_DOCUMENT = 1048576
MAX_KEY = 4096
_ALG = r"[a-z0-9][a-z0-9-]{0,31}"
_PUBLIC_KEY_SIZES = {0x0020: 32, 0x647A: 1216}  # KEYSET-5: X25519, X-Wing
_KDFS = {0x0001}
_AEADS = {0x0001, 0x0002, 0x0003}
_ANY = r"(?s:.*)"
_KEYSET = Reader("keyset.malformed")
_KEY = Reader("keyset.key")
_DOCUMENT = Reader("document.malformed")
_DOCUMENT_MEMBERS = ("version", "keyset", "nonces", "evidence", "collateral", "admission", "issued_at")
_MEMBERS = (
    *("version", "node_id", "role", "ohttp_key_configs", "receipt_keys", "tls_spki_sha256", "tpm_ak_spki_sha256"),
    *("gpu_leaf_key_sha256", "authority_key", "software_digest", "config_digest", "policy", "pool", "isolation", "models"),
    *("not_before", "not_after", "extensions", "critical"),
)


@dataclass(frozen=True)
class Keyset:
    """What receipts and logs are held to. `key_configs` are all, also those that a sealing client would skip."""

    digest: bytes
    software_digest: bytes
    key_configs: tuple[bytes, ...]
    receipt_keys: tuple[SigningKey, ...]
    not_before: str
    not_after: str

    def keys(self, alg: str) -> list[SigningKey]:
        return [key for key in self.receipt_keys if key.alg == alg]

    @property
    def log_id(self) -> bytes:
        """LOG-5."""
        keyids = sorted(key.keyid for key in self.receipt_keys if key.alg in (ED25519, ML_DSA_65))
        return hashlib.sha256(b"confide/v1/log\0" + b"".join(keyids)).digest()


def keyset_of_document(data: bytes) -> Keyset:
    """The keyset in an evidence document, which is not otherwise judged."""
    if len(data) > MAX_DOCUMENT:
        raise Refused("document.too_large", f"{len(data)} bytes")
    members = _DOCUMENT.versioned(_DOCUMENT.json(data, MAX_DOCUMENT), "document.version")
    _DOCUMENT.members(members, _DOCUMENT_MEMBERS)
    return parse_keyset(_DOCUMENT.base64(members["keyset"], MAX_KEYSET))


def parse_keyset(data: bytes) -> Keyset:
    """KEYSET-1 to KEYSET-10."""
    if len(data) > MAX_KEYSET:
        raise Refused("keyset.too_large", f"{len(data)} bytes")
    members = _KEYSET.versioned(_KEYSET.json(data, MAX_KEYSET), "keyset.version")
    _check_form(_KEYSET.members(members, _MEMBERS))
    configs, keys = _check_keys(members)
    return Keyset(
        digest=hashlib.sha256(data).digest(),
        software_digest=_KEYSET.digest(members["software_digest"]),
        key_configs=configs,
        receipt_keys=keys,
        not_before=cast("str", members["not_before"]),
        not_after=cast("str", members["not_after"]),
    )


def _check_form(members: dict[str, object]) -> None:
    """KEYSET-3: members, types and counts, at every level."""
    read = _KEYSET
    for name in ("node_id", "software_digest", "config_digest"):
        read.digest(members[name])
    for name in ("tls_spki_sha256", "tpm_ak_spki_sha256"):
        _unless_null(members[name], read.digest)
    read.text(members["role"], "node|broker|trainer|aggregator")
    read.text(members["isolation"], "worker-process|in-process")
    for config in read.array(members["ohttp_key_configs"], 1, 16):
        read.text(config, _ANY)
    for key in read.array(members["receipt_keys"], 1, 8):
        _check_key_form(key)
    _unless_null(members["authority_key"], _check_key_form)
    for digest in read.array(members["gpu_leaf_key_sha256"], 0, 32):
        read.digest(digest)
    _unless_null(members["policy"], _check_policy_form)
    _unless_null(members["pool"], _check_pool_form)
    for digest in read.table(members["models"], 256, NAME).values():
        read.digest(digest)
    read.table(members["extensions"], 32, NAME)
    for extension in read.array(members["critical"], 0, 32):
        read.text(extension, NAME)
    for time in (members["not_before"], members["not_after"]):
        read.text(time, _ANY)


def _unless_null(value: object, check: Callable[[object], object]) -> None:
    if value is not None:
        check(value)


def _check_key_form(value: object) -> None:
    key = _KEYSET.members(value, {"alg", "public_key"})
    _KEYSET.text(key["alg"], _ALG)
    _KEYSET.text(key["public_key"], _ANY)


def _check_policy_form(value: object) -> None:
    policy = _KEYSET.members(value, {"digest", "serial"})
    _KEYSET.digest(policy["digest"])
    _KEYSET.integer(policy["serial"])


def _check_pool_form(value: object) -> None:
    pool = _KEYSET.members(value, {"id", "epoch"})
    _KEYSET.text(pool["id"], NAME)
    _KEYSET.integer(pool["epoch"])


def _check_keys(members: dict[str, object]) -> tuple[tuple[bytes, ...], tuple[SigningKey, ...]]:
    """The steps after form, in the order of the page; the content and receipt keys."""
    _check_critical(cast("list[str]", members["critical"]), cast("dict[str, object]", members["extensions"]))
    configs = _content_keys(cast("list[str]", members["ohttp_key_configs"]))
    keys = _receipt_keys(cast("list[dict[str, str]]", members["receipt_keys"]))
    if members["authority_key"] is not None:
        authority = cast("dict[str, str]", members["authority_key"])
        public_key = _KEYSET.base64(authority["public_key"], MAX_KEY)
        if KEY_SIZES.get(authority["alg"]) != len(public_key):
            _KEY.refuse("the authority key")
    _check_distinct(cast("list[str]", members["gpu_leaf_key_sha256"]))
    not_before, not_after = _KEYSET.time(members["not_before"]), _KEYSET.time(members["not_after"])
    if not_before >= not_after:
        raise Refused("keyset.window", f"{not_before} to {not_after}")
    return configs, keys


def _check_distinct(items: Sequence[object]) -> None:
    if len(set(items)) != len(items):
        raise Refused("keyset.duplicate")


def _check_critical(critical: list[str], extensions: dict[str, object]) -> None:
    """KEYSET-4. No extension is defined yet."""
    _check_distinct(critical)
    if not set(critical) <= set(extensions):
        _KEYSET.refuse("critical names an extension that is absent")
    if critical:
        raise Refused("keyset.critical", critical[0])


def _content_keys(listed: list[str]) -> tuple[bytes, ...]:
    """KEYSET-5 to KEYSET-7 for `ohttp_key_configs`."""
    configs = []
    usable = 0
    for text in listed:
        config = _KEYSET.base64(text, MAX_KEY)
        usable += _is_usable(config)
        configs.append(config)
    _check_distinct([config[0] for config in configs])
    if not usable:
        raise Refused("keyset.no_usable_key", "content keys")
    return tuple(configs)


def _is_usable(config: bytes) -> bool:
    """Whether a known KEM has a known pair of KDF and AEAD; the lengths of KEYSET-5 on the way."""
    if len(config) <= 3:
        _KEY.refuse("a key_config of 3 bytes or less")
    size = _PUBLIC_KEY_SIZES.get(int.from_bytes(config[1:3]))
    if size is None:
        return False
    suites = config[3 + size + 2 :]
    length = int.from_bytes(config[3 + size : 3 + size + 2])
    if not suites or len(suites) != length or length % 4:
        _KEY.refuse("the lengths of a key_config")
    pairs = [(int.from_bytes(suites[at : at + 2]), int.from_bytes(suites[at + 2 : at + 4])) for at in range(0, length, 4)]
    return any(kdf in _KDFS and aead in _AEADS for kdf, aead in pairs)


def _receipt_keys(listed: list[dict[str, str]]) -> tuple[SigningKey, ...]:
    """KEYSET-6 to KEYSET-8 for `receipt_keys`; keys of unknown `alg` are skipped."""
    _check_distinct([(key["alg"], key["public_key"]) for key in listed])
    keys = [SigningKey(key["alg"], _KEYSET.base64(key["public_key"], MAX_KEY)) for key in listed]
    known = tuple(key for key in keys if key.alg in KEY_SIZES)
    if any(len(key.public_key) != KEY_SIZES[key.alg] for key in known):
        _KEY.refuse("the length of a receipt key")
    if not known:
        raise Refused("keyset.no_usable_key", "receipt keys")
    return known
