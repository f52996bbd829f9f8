"""The published examples of Oblivious HTTP and its chunked form, reproduced byte for byte in both directions.

The examples' inputs are read from `../shared/vectors/standards`; the encapsulated messages of RFC 9458 appendix A, which are not
in that file, are given here.
"""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.seal.fixtures import refused
from tests.support import recorded_vectors

from confide.codes import Code
from confide.seal.bhttp import Request, Response, decode_request, decode_response
from confide.seal.chunked import ChunkedRequestSealer, ChunkedResponseSealer
from confide.seal.hpke import Aead, Kem, PrivateKey, setup_receiver
from confide.seal.keyconfig import KeyConfig, parse_key_config
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway, seal_request

h = bytes.fromhex

# RFC 9458 appendix A
EPHEMERAL = h("bc51d5e930bda26589890ac7032f70ad12e4ecb37abb1b65b1256c9c48999c73")
ENCAPSULATED_REQUEST = h(
    "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268c594d2a10c695d858c40a026e796"
    "5e7d86b83dd440b2c0185204b4d63525"
)
ENCAPSULATED_RESPONSE = h("c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd")


def published(name: str) -> dict[str, Any]:
    folder = recorded_vectors()
    if folder is None:
        pytest.skip("recorded vectors are missing: set CONFIDE_VECTORS")
    (vector,) = json.loads((folder / "standards" / name).read_text())["vectors"]
    return dict(vector)


def opened_by(config: KeyConfig, secret: bytes) -> Gateway:
    keys = KeyStore()
    keys.add(config, PrivateKey.from_bytes(Kem.X25519, secret))
    return Gateway(keys)


def test_the_example_of_rfc_9458_is_reproduced_and_opened() -> None:
    vector = published("rfc9458.json")
    config = parse_key_config(h(vector["keyConfig"]))
    assert config.public_key == h(vector["publicKey"])
    assert [dict(zip(("kdfId", "aeadId"), pair, strict=True)) for pair in config.algorithms] == vector["symmetricAlgorithms"]
    sealed = seal_request(config, h(vector["request"]), _ephemeral=X25519PrivateKey.from_private_bytes(EPHEMERAL))
    assert sealed.body == ENCAPSULATED_REQUEST
    opened = opened_by(config, h(vector["privateKey"])).open(ENCAPSULATED_REQUEST)
    assert opened.message == h(vector["request"])
    assert decode_request(opened.message) == Request(b"GET", b"https", b"example.com", b"/")
    response = opened.sealer.seal(h(vector["response"]), _response_nonce=ENCAPSULATED_RESPONSE[:16])
    assert response == ENCAPSULATED_RESPONSE
    assert sealed.opener.open(response) == h(vector["response"])
    assert decode_response(h(vector["response"])).response == Response(200)


def chunked_config(vector: dict[str, Any]) -> KeyConfig:
    """The draft's configuration. As published it has a byte too many after its algorithms, which RFC 9458 section 3.1 does not allow."""
    raw = h(vector["keyConfig"])
    with refused(Code.OHTTP_KEY_CONFIG):
        parse_key_config(raw)
    return parse_key_config(raw[:-1])


def test_the_example_of_the_chunked_draft_is_reproduced() -> None:
    vector = published("chunked-ohttp-08.json")
    config = chunked_config(vector)
    assert config.suite().aead is Aead(vector["aeadId"])
    sealer = ChunkedRequestSealer(config, _ephemeral=X25519PrivateKey.from_private_bytes(h(vector["skE"])))
    assert sealer.enc == h(vector["enc"])
    *chunks, final = (h(chunk["plaintext"]) for chunk in vector["requestChunks"])
    stream = b"".join([*map(sealer.write, chunks), sealer.finish(final)])
    assert stream == h(vector["encapsulatedRequest"])
    gateway = opened_by(config, h(vector["skR"])).open_chunked()
    assert [*gateway.feed(stream), gateway.close()] == [*chunks, final]
    assert gateway.sealer is not None


def test_the_response_of_the_chunked_draft_is_reproduced() -> None:
    vector = published("chunked-ohttp-08.json")
    config = chunked_config(vector)
    client = ChunkedRequestSealer(config, _ephemeral=X25519PrivateKey.from_private_bytes(h(vector["skE"])))
    *chunks, final = (h(chunk["plaintext"]) for chunk in vector["responseChunks"])
    private = PrivateKey.from_bytes(Kem.X25519, h(vector["skR"]))
    context = setup_receiver(config.suite(), private, client.enc, h(vector["info"]))
    sealer = ChunkedResponseSealer(context, client.enc, _response_nonce=h(vector["responseNonce"]))
    response = b"".join([*map(sealer.write, chunks), sealer.finish(final)])
    assert response == h(vector["encapsulatedResponse"])
    opener = client.opener()
    assert [*opener.feed(response), opener.close()] == [*chunks, final]
