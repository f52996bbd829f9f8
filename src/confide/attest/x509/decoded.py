"""What `cryptography` reads out of a certificate or list: once for each object, and in silence.

Names are encoded, for exact comparison, and as text, which whoever made the certificate chose: printable and short. Left to others:
which bytes become one (`loading`), and what any of it must be (`checks`).
"""

import functools
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

Certificate = x509.Certificate
RevocationList = x509.CertificateRevocationList

SERIAL_NUMBER_WARNING = r"Parsed a serial number which wasn't positive"
WARNINGS = (SERIAL_NUMBER_WARNING, r"Attribute's length must be ", r"The parsed certificate contains a NULL parameter value")
_SILENCED = "|".join(WARNINGS)
# What `cryptography` raises where bytes inside a certificate or list do not decode. It decodes late, and every extension it knows:
# a TLS feature of unknown number is a KeyError, an x400Address its own kind of exception.
UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
MAX_SHOWN = 120  # characters of a name in a message

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_filters = threading.Lock()  # `warnings.catch_warnings` changes the whole process


@contextmanager
def quietly() -> Iterator[None]:
    """Silence `WARNINGS`, in this block only: what a stranger's bytes are like is told by checks, not on standard error, and does
    not raise where warnings are errors. Filters belong to the process, hence the lock."""
    with _filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_SILENCED)
        yield


@dataclass(frozen=True)
class Names:
    """The names of a certificate: encoded, for exact comparison (RFC 5280 section 7.1), and as text.

    Whoever made the certificate chose the text, and it ends up in messages and on terminals: it is printable ASCII and short.
    """

    issuer: bytes
    subject: bytes
    issuer_text: str
    subject_text: str
    common_name: str
    issuer_common_name: str


class _Same:
    """A memo's key by identity: lists have no hash, and a certificate's reads all of it. What is loaded twice is one object."""

    __slots__ = ("value",)

    def __init__(self, value: Certificate | RevocationList) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


@dataclass(frozen=True)
class _Decoded:
    """What `cryptography` decodes anew at each call, or late. `extensions` is None where they do not decode."""

    issuer: x509.Name
    subject: x509.Name  # of a list its issuer's
    serial: int
    extensions: x509.Extensions | None


@functools.lru_cache(maxsize=256)
def _decoded(signed: _Same) -> _Decoded:
    """All of it in one silence; raises one of `UNREADABLE` for names that do not decode."""
    value, extensions = signed.value, None
    with quietly():
        with suppress(*UNREADABLE):
            extensions = value.extensions  # authorityKeyIdentifier holds a serial number too
        if isinstance(value, Certificate):
            return _Decoded(value.issuer, value.subject, value.serial_number, extensions)
        return _Decoded(value.issuer, value.issuer, 0, extensions)


def names(certificate: Certificate) -> Names:
    """Decoding names costs more than comparing them; a chain compares each several times."""
    return _names(_Same(certificate))


@functools.lru_cache(maxsize=256)
def _names(certificate: _Same) -> Names:
    decoded = _decoded(certificate)
    issuer, subject = decoded.issuer, decoded.subject
    return Names(
        issuer.public_bytes(),
        subject.public_bytes(),
        *_texts(issuer, subject),
    )


def _texts(issuer: x509.Name, subject: x509.Name) -> tuple[str, str, str, str]:
    above, below = _text(issuer), _text(subject)
    return above[0], below[0], below[1], above[1]


@functools.lru_cache(maxsize=256)
def _text(name: x509.Name) -> tuple[str, str]:
    """RFC 4514 and the common name. An issuer's is a subject's elsewhere in the chain."""
    return printable(name.rfc4514_string()) or "an empty name", _common_name(name)


def common_name(certificate: Certificate) -> str:
    """The one common name of the subject, made `printable`; empty when there is none or several."""
    return names(certificate).common_name


def printable(text: str) -> str:
    """Text of a stranger's for a message: escape sequences stay visible, and a long text is cut."""
    shown = _UNPRINTABLE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text[: MAX_SHOWN + 1])
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 3]}..."


def serial_number(certificate: Certificate) -> int:
    """The serial number, 0 included."""
    return _decoded(_Same(certificate)).serial


def subject_of(certificate: Certificate) -> x509.Name:
    """The subject's name."""
    return _decoded(_Same(certificate)).subject


def issuer_of(crl: RevocationList) -> x509.Name:
    """The issuer's name."""
    return _decoded(_Same(crl)).issuer


def extensions_of(signed: Certificate | RevocationList) -> x509.Extensions:
    """The extensions; raises one of `UNREADABLE` when any does not decode."""
    found = _decoded(_Same(signed)).extensions
    if found is not None:
        return found
    with quietly():
        return signed.extensions


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(found[0].value)) if len(found) == 1 else ""
