"""AMD's own extensions of VCEK and VLEK certificates (AMD 57230, tables "VCEK Certificate Extensions" and "VLEK ..."), decoded.

Left to others: what they must agree with (`verify.py`).
"""

import functools
from dataclasses import dataclass

from confide.attest.snp.layout import Product, Tcb
from confide.attest.x509 import Certificate, extensions_of
from confide.codes import Code
from confide.errors import EvidenceError

ARC = "1.3.6.1.4.1.3704.1."
STRUCT_VERSIONS = (0, 1)  # 1 since Turin, with fmcSPL
MAX_TEXT = 128  # bytes of an IA5String; AWS's cspID has 29

_SPL = {"boot_loader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
_NAMES = {
    "1": "structVersion",
    "2": "productName",
    "3.1": "blSPL",
    "3.2": "teeSPL",
    "3.3": "snpSPL",
    "3.8": "ucodeSPL",
    "3.9": "fmcSPL",
}


@dataclass(frozen=True)
class EndorsementExtensions:
    """The decoded extensions. `reserved` holds spl4 to spl7 as far as present; `hwid` is None in a VLEK, `csp_id` in a VCEK."""

    struct_version: int
    product_name: str
    tcb: Tcb
    reserved: bytes
    hwid: bytes | None
    csp_id: str | None


@functools.lru_cache(maxsize=128)
def decode(certificate: Certificate, product: Product) -> EndorsementExtensions:
    """Decode for the TCB layout and hwID length of `product`.

    Raises:
        EvidenceError: `snp.extension` naming the one that is missing or malformed.
    """
    values = {
        extension.oid.dotted_string.removeprefix(ARC): extension.value.public_bytes()
        for extension in extensions_of(certificate)
        if extension.oid.dotted_string.startswith(ARC)
    }
    return EndorsementExtensions(
        struct_version=_integer(values, "1"),
        product_name=_text(values, "2"),
        tcb=Tcb(**{name: _integer(values, _SPL[name]) for name in product.tcb_layout.value if name}),
        reserved=bytes(_integer(values, key) for key in ("3.4", "3.5", "3.6", "3.7") if key in values),
        hwid=_hwid(values["4"], product.hwid_size) if "4" in values else None,
        csp_id=_text(values, "5") if "5" in values else None,
    )


def products_named(product: Product) -> tuple[str, ...]:
    """The productName stems of one chain; AMD serves Bergamo and Siena from Genoa's (AMD 57230)."""
    return ("Genoa", "Bergamo", "Siena") if product is Product.GENOA else (product.value,)


def _integer(values: dict[str, bytes], key: str) -> int:
    """A DER INTEGER from 0 to 255: `02 01 xx`, or `02 02 00 xx` from 128 on (X.690 section 8.3)."""
    data = values.get(key, b"")
    if len(data) == 3 and data[:2] == b"\x02\x01" and data[2] < 0x80:
        return data[2]
    if len(data) == 4 and data[:3] == b"\x02\x02\x00" and data[3] >= 0x80:
        return data[3]
    raise _malformed(key, data, "an INTEGER from 0 to 255")


def _text(values: dict[str, bytes], key: str) -> str:
    """A short DER IA5String."""
    data = values.get(key, b"")
    if (
        2 < len(data) <= MAX_TEXT
        and data[0] == 0x16
        and data[1] == len(data) - 2
        and data[2:].isascii()
        and data[2:].decode().isprintable()
    ):
        return data[2:].decode("ascii")
    raise _malformed(key, data, "an IA5String")


def _hwid(data: bytes, size: int) -> bytes:
    """Raw bytes, as all certificates seen have it, or the OCTET STRING that AMD 57230 describes."""
    header = bytes((0x04, size))
    raw = data[2:] if len(data) == size + 2 and data.startswith(header) else data
    if len(raw) != size:
        raise EvidenceError(Code.SNP_EXTENSION, found=f"hwID of {len(raw)} bytes", wanted=f"{size} bytes")
    return raw


def _malformed(key: str, data: bytes, wanted: str) -> EvidenceError:
    name = _NAMES.get(key, f"extension {ARC}{key}")
    return EvidenceError(Code.SNP_EXTENSION, found=f"{name} {'malformed' if data else 'missing'}", wanted=wanted)
