"""What one-message and chunked Oblivious HTTP share: header, `info`, finding the key, response keys (RFC 9458 section 4)."""

from confide.codes import Code
from confide.errors import ChannelError
from confide.seal import kdf
from confide.seal.aead import N_N, Aead, Buffer
from confide.seal.hpke import ReceiverContext, Suite, parse_suite, setup_receiver
from confide.seal.keyconfig import KeyConfig
from confide.seal.keystore import HeldKey, KeyStore

HEADER_SIZE = 7  # key id, KEM, KDF, AEAD (RFC 9458 section 4.3)
DEFAULT_MAX_MESSAGE = 64 << 20


def request_header(config: KeyConfig, suite: Suite) -> bytes:
    """Key id and suite, in clear and bound by `info`."""
    return bytes((config.key_id,)) + suite.identifiers


def request_info(label: bytes, header: bytes) -> bytes:
    """`label || 0x00 || hdr` (RFC 9458 section 4.3, step 2)."""
    return label + b"\x00" + header


def find_key(keys: KeyStore, header: bytes) -> tuple[HeldKey, Suite]:
    """The live key that a header names, if it offers the header's suite; else `ohttp.key_id` or `ohttp.suite`."""
    held = keys.get(header[0])
    kem, kdf_id, aead = (int.from_bytes(header[at : at + 2], "big") for at in (1, 3, 5))
    if kem != held.config.kem or (kdf_id, aead) not in held.config.algorithms:
        raise ChannelError(Code.OHTTP_SUITE, found=header[1:].hex(), wanted=f"a suite of key {header[0]}")
    return held, parse_suite(kem, kdf_id, aead)


def decapsulate(held: HeldKey, suite: Suite, enc: bytes, *, info: bytes) -> ReceiverContext:
    """The context of `enc`; `ohttp.decapsulation` if it is not an encapsulated key, or the key died meanwhile."""
    try:
        return setup_receiver(suite, held.private_key, enc, info)
    except ChannelError as error:
        raise ChannelError(Code.OHTTP_DECAPSULATION, found=error.code.value, wanted="an encapsulated key") from None


def open_first(context: ReceiverContext, ciphertext: Buffer, aad: bytes = b"") -> bytes:
    """The first message of a context: it proves that the sender used this key and this header."""
    try:
        return context.open(ciphertext, aad)
    except ChannelError as error:
        raise ChannelError(Code.OHTTP_DECAPSULATION, found=error.code.value, wanted="a request to this key") from None


def response_keys(aead: Aead, *, secret: bytes, enc: bytes, response_nonce: bytes) -> tuple[bytes, bytes]:
    """`(aead_key, aead_nonce)` of a response (RFC 9458 section 4.4, steps 3 to 6)."""
    prk = kdf.extract(enc + response_nonce, secret)
    return kdf.expand(prk, b"key", aead.n_k), kdf.expand(prk, b"nonce", N_N)
