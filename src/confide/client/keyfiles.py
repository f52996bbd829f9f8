"""An owner's private key in a file: PKCS#8 (RFC 5958), encrypted or readable by its owner only; beside it the public half as JSON.

The key signs policies and admissions. No function takes a secret as text from a command line: passphrases come from files. Left to
others: what is signed (`policy.load.sign_policy`, `attest.admission`).
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from confide.attest.publickeys import key_text
from confide.client.files import read_file, write_file
from confide.codes import Code
from confide.errors import MisuseError
from confide.formats import strictjson
from confide.formats.dsse import PublicKey, SignatureAlgorithm, SigningKey

__all__ = ["KeyFile", "key_text", "new_key_file", "public_json", "read_key_file", "read_passphrase"]

MAX_KEY_FILE = 64 << 10  # bytes; PKCS#8 of ML-DSA-65 has 6 KiB where it holds the expanded key
MAX_PASSPHRASE = 1024  # bytes, as `cryptography` bounds it
SUFFIX = ".pub.json"
ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True)
class KeyFile:
    """A key that was written: where, and its public half."""

    private: Path
    public: Path
    key: PublicKey
    encrypted: bool

    @property
    def text(self) -> str:
        """As policies and settings name it, `ed25519:<hex>`."""
        return key_text(self.key)


def new_key_file(path: Path, *, alg: str = SignatureAlgorithm.ED25519.value, passphrase_file: Path | None = None) -> KeyFile:
    """Make a key and write `path` and `path.pub.json`. An existing file is never replaced: a key that is lost is lost for good.

    Raises:
        MisuseError: `client.key_file` for a file that exists, an empty passphrase; `client.file` where it cannot be written.
    """
    public = path.with_name(path.name + SUFFIX)
    if public.exists():
        raise _taken(public)
    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    key = SigningKey.generate(SignatureAlgorithm(alg))
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    _write_new(path, key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    write_file(public, public_json(key.public))
    return KeyFile(path, public, key.public, passphrase is not None)


def read_key_file(path: Path, *, passphrase_file: Path | None = None) -> SigningKey:
    """The private key in a file.

    Raises:
        MisuseError: `client.key_file` unless it is a key of a known algorithm that opens with the passphrase, and that nobody else
            may read where it is not encrypted; `client.file` where it cannot be read.
    """
    data = read_file(path, limit=MAX_KEY_FILE)
    encrypted = data.lstrip().startswith(ENCRYPTED)
    if not encrypted:
        _require_private(path)
    passphrase = read_passphrase(passphrase_file) if passphrase_file is not None and encrypted else None
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(path, encrypted=encrypted, given=passphrase is not None) from None
    if isinstance(key, Ed25519PrivateKey):
        return SigningKey(SignatureAlgorithm.ED25519, key)
    if isinstance(key, MLDSA65PrivateKey):
        return SigningKey(SignatureAlgorithm.ML_DSA_65, key)
    raise MisuseError(Code.CLIENT_KEY_FILE, found=f"{path}: a key for something else", wanted=_WANTED)


def read_passphrase(path: Path) -> bytes:
    """The first line of a file, which is not empty."""
    line = read_file(path, limit=MAX_PASSPHRASE + 2).split(b"\n", 1)[0].removesuffix(b"\r")
    if not 0 < len(line) <= MAX_PASSPHRASE:
        found = f"{path}: {len(line)} bytes in its first line"
        raise MisuseError(Code.CLIENT_KEY_FILE, found=found, wanted=f"a passphrase of 1 to {MAX_PASSPHRASE} bytes")
    return line


def public_json(key: PublicKey) -> bytes:
    """`{"alg", "public_key"}`, as `--policy-signer` reads it."""
    return strictjson.dumps({"alg": key.alg.value, "public_key": strictjson.b64(key.raw)}) + b"\n"


def _write_new(path: Path, data: bytes) -> None:
    """Never over another file, whoever makes one at the same moment."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise MisuseError(Code.CLIENT_FILE, found=f"{path}: {error.strerror}", wanted="a writable place") from None


def _taken(path: Path) -> MisuseError:
    return MisuseError(Code.CLIENT_KEY_FILE, found=f"{path} exists", wanted="a new file", hint="choose another name")


def _require_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        hint = f"chmod 600 {path}"
        raise MisuseError(Code.CLIENT_KEY_FILE, found=f"{path}: mode {mode:04o}", wanted="a file of its owner's alone", hint=hint)


def _unusable(path: Path, *, encrypted: bool, given: bool) -> MisuseError:
    if not encrypted:
        return MisuseError(Code.CLIENT_KEY_FILE, found=f"{path}: no private key", wanted=_WANTED)
    found = "another passphrase" if given else "an encrypted key"
    wanted = "the passphrase that it was encrypted with"
    return MisuseError(Code.CLIENT_KEY_FILE, found=f"{path}: {found}", wanted=wanted, hint="name its file: --passphrase-file FILE")


_WANTED = "PKCS#8 in PEM of an Ed25519 or ML-DSA-65 key, as `confide key new` writes"
