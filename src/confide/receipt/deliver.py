"""How a receipt reaches the client: two trailers of the inner binary HTTP response (RFC 9292 section 3.6), inside the seal.

    confide-receipt: base64(DSSE envelope)        confide-salts: base64(salts JSON)

Left to others: encoding the message (`seal.bhttp`), and the last event of a stream.
"""

from collections.abc import Iterable

from confide.codes import Code
from confide.errors import ReceiptError
from confide.formats import strictjson
from confide.receipt.commit import MAX_SALTS
from confide.receipt.issue import Issued
from confide.receipt.statement import MAX_RECEIPT

RECEIPT_TRAILER = b"confide-receipt"
SALTS_TRAILER = b"confide-salts"

Fields = tuple[tuple[bytes, bytes], ...]


def to_trailers(issued: Issued) -> Fields:
    """The trailer fields of the answer."""
    return (
        (RECEIPT_TRAILER, strictjson.b64_bytes(issued.envelope)),
        (SALTS_TRAILER, strictjson.b64_bytes(issued.salts.to_bytes())),
    )


def from_trailers(trailers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None]:
    """The envelope and the salts' JSON text, each None when its trailer is absent.

    Raises:
        ReceiptError: `receipt.malformed` or `receipt.salts` when a trailer occurs twice or is not canonical base 64.
    """
    fields = tuple(trailers)
    return (
        _one(fields, RECEIPT_TRAILER, limit=MAX_RECEIPT, code=Code.RECEIPT_MALFORMED),
        _one(fields, SALTS_TRAILER, limit=MAX_SALTS, code=Code.RECEIPT_SALTS),
    )


def _one(fields: Fields, name: bytes, *, limit: int, code: Code) -> bytes | None:
    values = [value for key, value in fields if key == name]
    if not values:
        return None
    if len(values) != 1:
        raise ReceiptError(code, found=f"{len(values)} {name.decode()} trailers", wanted="one")
    try:
        return strictjson.unb64(values[0].decode("ascii", "replace"), limit=limit)
    except strictjson.JsonError as error:
        raise ReceiptError(code, found=f"{name.decode()}: {error.found}", wanted=error.wanted) from None
