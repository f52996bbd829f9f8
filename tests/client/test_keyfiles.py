"""An owner's key in a file: made once, readable by its owner alone, and never said aloud."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support import refused

from confide.client.keyfiles import new_key_file, public_json, read_key_file, read_passphrase
from confide.client.loading import read_signers
from confide.codes import Code

ALGORITHMS = ["ed25519", "ml-dsa-65"]


def passphrase(folder: Path, text: str = "correct horse\n") -> Path:
    path = folder / "pass"
    path.write_text(text)
    return path


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_key_comes_back_and_signs(tmp_path: Path, alg: str, encrypted: bool) -> None:
    secret = passphrase(tmp_path) if encrypted else None
    made = new_key_file(tmp_path / "owner.key", alg=alg, passphrase_file=secret)
    key = read_key_file(made.private, passphrase_file=secret)
    assert (key.public, made.encrypted) == (made.key, encrypted)
    made.key.verify(key.sign(b"message"), b"message")
    assert made.text == f"{alg}:{made.key.raw.hex()}"
    assert read_signers([made.public]) == (made.key,)
    assert json.loads(made.public.read_text())["alg"] == alg
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    head = made.private.read_bytes().splitlines()[0]
    assert head == (b"-----BEGIN ENCRYPTED PRIVATE KEY-----" if encrypted else b"-----BEGIN PRIVATE KEY-----")


def test_nothing_is_ever_replaced(tmp_path: Path) -> None:
    made = new_key_file(tmp_path / "owner.key")
    before = made.private.read_bytes()
    with refused(Code.CLIENT_KEY_FILE):
        new_key_file(tmp_path / "owner.key")
    made.private.unlink()
    with refused(Code.CLIENT_KEY_FILE):  # the public half of a key that somebody relies on
        new_key_file(tmp_path / "owner.key")
    made.private.write_bytes(before)
    made.public.unlink()
    with refused(Code.CLIENT_KEY_FILE):
        new_key_file(tmp_path / "owner.key")
    assert made.private.read_bytes() == before


def test_a_key_that_others_may_read_is_refused_unless_it_is_encrypted(tmp_path: Path) -> None:
    plain = new_key_file(tmp_path / "plain.key")
    plain.private.chmod(0o640)
    with refused(Code.CLIENT_KEY_FILE):
        read_key_file(plain.private)
    secret = passphrase(tmp_path)
    sealed = new_key_file(tmp_path / "sealed.key", passphrase_file=secret)
    sealed.private.chmod(0o644)
    assert read_key_file(sealed.private, passphrase_file=secret).public == sealed.key


def test_another_passphrase_or_none_is_refused(tmp_path: Path) -> None:
    made = new_key_file(tmp_path / "owner.key", passphrase_file=passphrase(tmp_path))
    with refused(Code.CLIENT_KEY_FILE):
        read_key_file(made.private)
    with refused(Code.CLIENT_KEY_FILE):
        read_key_file(made.private, passphrase_file=passphrase(tmp_path, "battery staple\n"))


@pytest.mark.parametrize("text", ["", "\n", "\nsecond line", "x" * 1025], ids=["empty", "line", "second", "long"])
def test_an_empty_or_endless_passphrase_is_refused(tmp_path: Path, text: str) -> None:
    with refused(Code.CLIENT_KEY_FILE):
        read_passphrase(passphrase(tmp_path, text))


@pytest.mark.parametrize("text", ["one line", "one line\n", "one line\r\n", "one line\nand another"])
def test_the_first_line_is_the_passphrase(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pass"
    path.write_bytes(text.encode())
    assert read_passphrase(path) == b"one line"


def pem(key: rsa.RSAPrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        pem(x25519.X25519PrivateKey.generate()),
        pem(rsa.generate_private_key(65537, 2048)),
    ],
    ids=["empty", "text", "broken", "broken and encrypted", "X25519", "RSA"],
)
def test_what_is_no_owners_key_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    with refused(Code.CLIENT_KEY_FILE):
        read_key_file(path)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with refused(Code.CLIENT_FILE):
        read_key_file(tmp_path / "none")
    with refused(Code.CLIENT_FILE):
        new_key_file(tmp_path / "no" / "folder" / "owner.key")
    large = tmp_path / "large"
    large.write_bytes(bytes(1 << 17))
    with refused(Code.CLIENT_FILE):
        read_key_file(large)


def test_a_public_key_never_shows_the_private_half(tmp_path: Path) -> None:
    made = new_key_file(tmp_path / "owner.key")
    key = read_key_file(made.private)
    assert made.private.read_text().splitlines()[1] not in repr(made) + repr(key) + public_json(key.public).decode()
