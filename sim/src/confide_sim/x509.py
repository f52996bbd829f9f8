"""Certificates and revocation lists of false vendors: every field is an argument, so that one at a time can lie."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from confide_sim import der

Name = tuple[tuple[str, str], ...]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"
_SHA = {"sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256), "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384)}


@dataclass(frozen=True)
class Algorithm:
    """A signature algorithm: its AlgorithmIdentifier and how to sign."""

    identifier: bytes
    sign: Callable[[PrivateKey, bytes], bytes]


def pss(digest: str = "sha384", salt: int = 48) -> Algorithm:
    """RSASSA-PSS with one digest for message and mask (RFC 4055 section 3.1)."""
    dotted, make = _SHA[digest]
    hashed = der.seq(der.oid(dotted), der.null())
    mask = der.seq(der.oid("1.2.840.113549.1.1.8"), hashed)
    parameters = der.seq(der.explicit(0, hashed), der.explicit(1, mask), der.explicit(2, der.integer(salt)))

    def sign(key: PrivateKey, data: bytes) -> bytes:
        return _rsa(key).sign(data, padding.PSS(padding.MGF1(make()), salt), make())

    return Algorithm(der.seq(der.oid("1.2.840.113549.1.1.10"), parameters), sign)


def pkcs1() -> Algorithm:
    """RSASSA-PKCS1-v1_5 with SHA-384: not what AMD signs with."""

    def sign(key: PrivateKey, data: bytes) -> bytes:
        return _rsa(key).sign(data, padding.PKCS1v15(), hashes.SHA384())

    return Algorithm(der.seq(der.oid("1.2.840.113549.1.1.12"), der.null()), sign)


def ecdsa() -> Algorithm:
    """ECDSA with SHA-384: not what AMD signs with."""

    def sign(key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("an ECDSA signature needs an elliptic curve key")
        return key.sign(data, ec.ECDSA(hashes.SHA384()))

    return Algorithm(der.seq(der.oid("1.2.840.10045.4.3.3")), sign)


@dataclass(frozen=True)
class Certificate:
    """The fields of a certificate. `extensions` are encoded Extension values, in order."""

    serial_number: int
    issuer: Name
    subject: Name
    not_before: datetime
    not_after: datetime
    public_key: bytes  # SubjectPublicKeyInfo
    extensions: tuple[bytes, ...]

    def sign(self, key: PrivateKey, algorithm: Algorithm) -> bytes:
        """The DER certificate (RFC 5280 section 4.1), version 3."""
        body = der.seq(
            der.explicit(0, der.integer(2)),
            der.integer(self.serial_number),
            algorithm.identifier,
            der.name(self.issuer),
            der.seq(der.time(self.not_before), der.time(self.not_after)),
            der.name(self.subject),
            self.public_key,
            der.explicit(3, der.seq(*self.extensions)),
        )
        return _signed(body, key, algorithm)


@dataclass(frozen=True)
class RevocationList:
    """The fields of a revocation list. `next_update` may be left out; `revoked` are serial numbers."""

    issuer: Name
    this_update: datetime
    next_update: datetime | None
    revoked: tuple[int, ...] = ()
    extensions: tuple[bytes, ...] = ()
    entry_extensions: tuple[bytes, ...] = ()

    def sign(self, key: PrivateKey, algorithm: Algorithm) -> bytes:
        """The DER list (RFC 5280 section 5.1), version 2."""
        moment = der.time(self.this_update)
        extra = [der.seq(*self.entry_extensions)] if self.entry_extensions else []
        entries = [der.seq(der.integer(serial), moment, *extra) for serial in self.revoked]
        parts = [der.integer(1), algorithm.identifier, der.name(self.issuer), moment]
        parts += [der.time(self.next_update)] if self.next_update else []
        parts += [der.seq(*entries)] if entries else []
        parts += [der.explicit(0, der.seq(*self.extensions))] if self.extensions else []
        return _signed(der.seq(*parts), key, algorithm)


def spki(key: PrivateKey) -> bytes:
    """The SubjectPublicKeyInfo of a private key."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def basic_constraints(*, ca: bool, path_length: int | None = None) -> bytes:
    """basicConstraints, critical."""
    parts = [der.boolean(True)] if ca else []
    parts += [der.integer(path_length)] if path_length is not None else []
    return der.extension(BASIC_CONSTRAINTS, der.seq(*parts), critical=True)


def key_usage(*, digital_signature: bool = False, cert_sign: bool = False, crl_sign: bool = False) -> bytes:
    """keyUsage, critical: bits 0, 5 and 6 (RFC 5280 section 4.2.1.3)."""
    value = digital_signature << 7 | cert_sign << 2 | crl_sign << 1
    unused = 8 if not value else (value & -value).bit_length() - 1
    return der.extension(KEY_USAGE, der.bits(bytes((value,)) if value else b"", unused % 8), critical=True)


def _signed(body: bytes, key: PrivateKey, algorithm: Algorithm) -> bytes:
    return der.seq(body, algorithm.identifier, der.bits(algorithm.sign(key, body)))


def _rsa(key: PrivateKey) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("an RSA signature needs an RSA key")
    return key
