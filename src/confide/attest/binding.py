"""What ties evidence to keys, nonces and devices: the 64 bytes that a TEE signs (spec/03-binding.md).

    binding = SHA-512("confide/v1/report-data" || 0x00 || nonces || SHA-256(keyset bytes) || SHA-256(device evidence))

The lengths of all parts but the label are fixed, so no two inputs share an encoding. Left to others: where each kind of TEE carries
the 64 bytes (its own folder), and which nonce was expected (`policy`).
"""

import hashlib
import hmac
from collections.abc import Sequence

from confide.attest.checks import Checks
from confide.attest.evidence import Kind
from confide.codes import Code
from confide.errors import MisuseError
from confide.formats import merkle

LABEL = b"confide/v1/report-data"
GPU_LABEL = b"confide/v1/gpu"
BINDING_SIZE = 64
NONCE_SIZE = 32
NO_NONCES = bytes(32)  # no Merkle root is zero: that would be a preimage of SHA-256
MAX_NONCES = 1 << 16  # gathered into one quote; a path has at most 16 nodes
MAX_PATH = 16
_TPM_KINDS = frozenset({Kind.TPM, Kind.AZ_SNP_VTPM, Kind.AZ_TDX_VTPM})


def binding(*, nonces: bytes, keyset: bytes, device_evidence: bytes = b"") -> bytes:
    """The 64 bytes for a nonce root (or `NO_NONCES`), the exact keyset bytes and the joined device evidence.

    Raises:
        MisuseError: `binding.length` when `nonces` is not 32 bytes.
    """
    _require_size("nonces", nonces)
    parts = (LABEL, b"\x00", nonces, hashlib.sha256(keyset).digest(), hashlib.sha256(device_evidence).digest())
    return hashlib.sha512(b"".join(parts)).digest()


def carried_by(kind: Kind, expected: bytes) -> bytes:
    """What evidence of `kind` carries for a binding: all 64 bytes, or SHA-256 of them where the field is a TPM's `qualifyingData`.

    GPUs carry `gpu_nonce` instead.
    """
    return hashlib.sha256(expected).digest() if kind in _TPM_KINDS else expected


def gpu_nonce(*, nonces: bytes, keyset: bytes, index: int) -> bytes:
    """The 32-byte SPDM nonce of device `index` (DESIGN section 4): SHA-256(label || 0x00 || nonces || SHA-256(keyset) || index).

    The index is four bytes, big endian.

    Raises:
        MisuseError: `binding.length` when `nonces` is not 32 bytes.
    """
    _require_size("nonces", nonces)
    return hashlib.sha256(b"".join((GPU_LABEL, b"\x00", nonces, hashlib.sha256(keyset).digest(), index.to_bytes(4)))).digest()


def join_device_evidence(parts: Sequence[bytes]) -> bytes:
    """Each device's evidence in index order behind its length in four bytes, big endian; nothing for no devices."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def nonces_root(nonces: Sequence[bytes]) -> bytes:
    """The RFC 9162 root over the gathered nonces in their order; a leaf is `merkle.leaf_hash(nonce)`.

    Raises:
        MisuseError: `binding.length` for none, for more than `MAX_NONCES`, or for one that is not 32 bytes.
    """
    return merkle.root(_leaves(nonces))


def nonce_path(nonces: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion path of nonce `index`, to be given to the client that sent it. Raises as `nonces_root`."""
    return merkle.inclusion_path(_leaves(nonces), index)


def require_binding(found: bytes, *, expected: bytes, size: int = BINDING_SIZE, checks: Checks) -> None:
    """Check that the evidence carries the binding, all `size` bytes: `binding.mismatch` otherwise. Both are public digests."""
    ok = len(expected) == size and hmac.compare_digest(found, expected)
    checks.require(ok, Code.BINDING_MISMATCH, "binding of keyset, nonces and devices", found=found.hex(), wanted=expected.hex())


def _leaves(nonces: Sequence[bytes]) -> list[bytes]:
    if not 1 <= len(nonces) <= MAX_NONCES:
        raise MisuseError(Code.BINDING_LENGTH, found=f"{len(nonces)} nonces", wanted=f"1 to {MAX_NONCES}")
    for nonce in nonces:
        _require_size("nonce", nonce)
    return [merkle.leaf_hash(nonce) for nonce in nonces]


def _require_size(what: str, value: bytes) -> None:
    if len(value) != NONCE_SIZE:
        raise MisuseError(Code.BINDING_LENGTH, found=f"{len(value)} bytes of {what}", wanted=f"{NONCE_SIZE}")
