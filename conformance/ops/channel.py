"""Operations of vectors/08-channel.json. Bytes are hex. Ephemeral keys and nonces are inputs, so that answers are exact."""

from collections.abc import Callable, Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from confide.seal import bhttp, padding, varint
from confide.seal.bhttp_stream import Content, End, RequestReader, ResponseReader
from confide.seal.bhttp_write import CONTENT_END, encode_content, encode_end, encode_response_head
from confide.seal.chunked import ChunkedRequestOpener, ChunkedRequestSealer, ChunkedResponseSealer
from confide.seal.hpke import Aead, PrivateKey, PublicKey, Suite, parse_suite, setup_receiver, setup_sender
from confide.seal.keyconfig import KeyConfig, by_preference, parse_key_config, parse_key_configs
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway, SealedRequest, seal_request
from confide.seal.replay import ReplayStore, request_id
from confide.seal.stream import MAX_CHUNK, ChunkReader

Given = dict[str, Any]
h = bytes.fromhex


def long(given: str | list[list[Any]]) -> bytes:
    """Hex, or a list of `[hex, times]` for what is long and repeats itself."""
    return h(given) if isinstance(given, str) else b"".join(h(part) * times for part, times in given)


def _suite(given: Given) -> Suite:
    return parse_suite(given["kem"], given["kdf"], given["aead"])


def _hpke_open(given: Given) -> Given:
    """A receiver's context: messages in order, then exports. `sequence` sets the first number, `wiped` wipes the key before use."""
    suite = _suite(given)
    private = PrivateKey.from_bytes(suite.kem, h(given["private_key"]))
    if given.get("wiped"):
        private.wipe()
    context = setup_receiver(suite, private, h(given["enc"]), h(given["info"]))
    context._messages._sequence = int(given.get("sequence", "0"))
    return {
        "public_key": private.public_bytes.hex(),
        "plaintexts": [context.open(h(item["ciphertext"]), h(item["aad"])).hex() for item in given["messages"]],
        "exports": [context.export(h(item["context"]), item["length"]).hex() for item in given["exports"]],
    }


def _hpke_seal(given: Given) -> Given:
    """A sender's context under a given ephemeral key: exact for X25519."""
    suite = _suite(given)
    public = PublicKey(suite.kem, h(given["public_key"]))
    enc, context = setup_sender(suite, public, h(given["info"]), _ephemeral=_ephemeral(given))
    context._messages._sequence = int(given.get("sequence", "0"))
    return {
        "enc": enc.hex(),
        "ciphertexts": [context.seal(h(item["plaintext"]), h(item["aad"])).hex() for item in given["messages"]],
        "exports": [context.export(h(item["context"]), item["length"]).hex() for item in given["exports"]],
    }


def _keyconfig_parse(given: Given) -> Given:
    """One key configuration."""
    config = parse_key_config(h(given["config"]))
    return {
        "key_id": config.key_id,
        "kem": int(config.kem),
        "public_key": config.public_key.hex(),
        "algorithms": [list(pair) for pair in config.algorithms],
    }


def _keyconfig_list(given: Given) -> Given:
    """A list: those kept, in the list's order, and the ids of the usable ones in the order of preference."""
    configs = parse_key_configs(long(given["list"]))
    return {"configs": [config.raw.hex() for config in configs], "preferred": [config.key_id for config in by_preference(configs)]}


def _keyconfig_suite(given: Given) -> Given:
    """The suite a sender takes from a configuration."""
    suite = parse_key_config(h(given["config"])).suite(None if given["aead"] is None else Aead(given["aead"]))
    return {"kem": int(suite.kem), "kdf": int(suite.kdf), "aead": int(suite.aead)}


def _ephemeral(given: Given) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(h(given["ephemeral"]))


def _keys(given: Given) -> KeyStore:
    keys, replay = KeyStore(), given.get("replay", {})
    for item in given["keys"]:
        config = parse_key_config(h(item["config"]))
        private = PrivateKey.from_bytes(config.kem, h(item["private_key"]))
        held = keys.add(config, private, replay_capacity=replay.get("capacity", 1000))
        for identifier in replay.get("seen", []):
            held.replay.record(h(identifier))
    return keys


def _gateway(given: Given) -> Gateway:
    return Gateway(_keys(given), max_message=given.get("max_message", 1 << 20))


def _ohttp_open(given: Given) -> Given:
    """What a gateway with these keys and records opens."""
    opened = _gateway(given).open(h(given["body"]))
    return {
        "message": opened.message.hex(),
        "key_id": opened.key_config.key_id,
        "enc": opened.enc.hex(),
        "request_id": opened.request_id.hex(),
    }


def _ohttp_respond(given: Given) -> Given:
    """The answer that a gateway seals under a given response nonce."""
    sealer = _gateway(given).open(h(given["body"])).sealer
    return {"response": sealer.seal(h(given["response"]), _response_nonce=h(given["response_nonce"])).hex()}


def _sealed(given: Given) -> SealedRequest:
    config = parse_key_config(h(given["config"]))
    return seal_request(config, h(given["message"]), aead=_aead(given), _ephemeral=_ephemeral(given))


def _aead(given: Given) -> Aead | None:
    return None if given["aead"] is None else Aead(given["aead"])


def _ohttp_seal(given: Given) -> Given:
    """What a client sends: exact for X25519."""
    sealed = _sealed(given)
    return {"body": sealed.body.hex(), "request_id": sealed.request_id.hex()}


def _ohttp_open_response(given: Given) -> Given:
    """What the client that sealed `message` opens."""
    return {"message": _sealed(given).opener.open(h(given["response"])).hex()}


def _replay_record(given: Given) -> Given:
    """Encapsulations recorded one after the other in one key's store."""
    store = ReplayStore(given["capacity"])
    for enc in given["encs"]:
        store.record(request_id(h(given["config"]), h(enc)))
    return {"recorded": len(store)}


def _read(reader: ChunkReader, given: Given) -> Given:
    """The pieces of a stream, then its end, then what comes after it."""
    chunks = [chunk for piece in given["pieces"] for chunk in reader.feed(long(piece))]
    final = reader.close()
    for piece in given.get("after", []):
        reader.feed(h(piece))
    return {"chunks": [chunk.hex() for chunk in chunks], "final": final.hex()}


def _opener(given: Given) -> ChunkedRequestOpener:
    return ChunkedRequestOpener(
        _keys(given), max_chunk=given.get("max_chunk", MAX_CHUNK), max_message=given.get("max_message", 1 << 20)
    )


def _chunked_open(given: Given) -> Given:
    """What a gateway reads from a chunked request."""
    reader = _opener(given)
    read = _read(reader, given)
    encapsulation = reader.encapsulation
    return read | {"request_id": encapsulation.request_id.hex() if encapsulation else None}


def _chunked_respond(given: Given) -> Given:
    """The chunked answer that a gateway seals under a given response nonce."""
    config, body = parse_key_config(h(given["keys"][0]["config"])), h(given["body"])
    _read(_opener(given), {"pieces": [given["body"]]})
    suite = parse_suite(*(int.from_bytes(body[at : at + 2], "big") for at in (1, 3, 5)))
    private, enc = PrivateKey.from_bytes(config.kem, h(given["keys"][0]["private_key"])), body[7 : 7 + suite.kem.n_enc]
    context = setup_receiver(suite, private, enc, b"message/bhttp chunked request\x00" + body[:7])
    return {"response": _write(ChunkedResponseSealer(context, enc, _response_nonce=h(given["response_nonce"])), given).hex()}


def _write(writer: ChunkedRequestSealer | ChunkedResponseSealer, given: Given) -> bytes:
    stream = b"".join([*(writer.write(h(chunk)) for chunk in given["chunks"]), writer.finish(h(given["final"]))])
    for chunk in given.get("after", []):
        stream += writer.write(h(chunk))
    return stream


def _client(given: Given) -> ChunkedRequestSealer:
    config: KeyConfig = parse_key_config(h(given["config"]))
    return ChunkedRequestSealer(config, aead=_aead(given), _ephemeral=_ephemeral(given))


def _chunked_seal(given: Given) -> Given:
    """The stream that a client sends: exact for X25519."""
    return {"body": _write(_client(given), given).hex()}


def _chunked_open_response(given: Given) -> Given:
    """What the client with this ephemeral key reads from a chunked answer."""
    return _read(_client(given).opener(max_message=given.get("max_message", 1 << 20)), given)


def _read_pieces(given: Given) -> Given:
    """A message read in these pieces: its content, trailers, and the digest that a receipt commits to."""
    reader = RequestReader() if given["request"] else ResponseReader()
    events = [event for piece in given["pieces"] for event in reader.feed(h(piece))] + reader.close()
    trailers = [event.trailers for event in events if isinstance(event, End)]
    content = b"".join(event.data for event in events if isinstance(event, Content))
    return {"content": content.hex(), "trailers": _fields(trailers[0]), "digest": reader.digest.hex()}


def _write_stream(given: Given) -> Given:
    """A streamed answer as a node writes it."""
    parts = [
        encode_response_head(given["status"], _lines(given["headers"])),
        *(encode_content(h(item)) for item in given["contents"]),
    ]
    message = b"".join((*parts, CONTENT_END))
    end = encode_end(_lines(given["trailers"]), written=len(message), pad_to=padding.bucket)
    return {"message": (message + end).hex(), "content_end": len(message)}


def _lines(fields: Iterable[Iterable[str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((h(name), h(value)) for name, value in fields)


def _fields(fields: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    return [[name.hex(), value.hex()] for name, value in fields]


def _unfields(fields: list[list[str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((h(name), h(value)) for name, value in fields)


def _bhttp_request(given: Given) -> Given:
    """A decoded request."""
    request = bhttp.decode_request(long(given["data"]), max_content=given.get("max_content", 1 << 20))
    control = {name: getattr(request, name).decode() for name in ("method", "scheme", "authority", "path")}
    return control | {
        "headers": _fields(request.headers),
        "content": request.content.hex(),
        "trailers": _fields(request.trailers),
    }


def _bhttp_response(given: Given) -> Given:
    """A decoded response, and where its content ends."""
    decoded = bhttp.decode_response(h(given["data"]), max_content=given.get("max_content", 1 << 20))
    response = decoded.response
    return {
        "informational": [[item.status, _fields(item.headers)] for item in response.informational],
        "status": response.status,
        "headers": _fields(response.headers),
        "content": response.content.hex(),
        "trailers": _fields(response.trailers),
        "content_end": decoded.content_end,
    }


def _bhttp_encode_request(given: Given) -> Given:
    """The known-length form, padded or not."""
    method, scheme, authority, path = (given[name].encode() for name in ("method", "scheme", "authority", "path"))
    headers, trailers = _unfields(given["headers"]), _unfields(given["trailers"])
    request = bhttp.Request(method, scheme, authority, path, headers, h(given["content"]), trailers)
    return {"data": bhttp.encode_request(request, pad_to=padding.bucket if given["padded"] else None).hex()}


def _varint(given: Given) -> Given:
    """The integer at the start of `data`, and its shortest form."""
    value, length = varint.decode(h(given["data"]), 0)
    return {"value": str(value), "length": length, "shortest": varint.encode(value).hex()}


def _bucket(given: Given) -> Given:
    """The padded length."""
    return {"padded": [padding.bucket(length) for length in given["lengths"]]}


OPS: dict[str, Callable[[Given], Given]] = {
    "hpke.open": _hpke_open,
    "hpke.seal": _hpke_seal,
    "keyconfig.parse": _keyconfig_parse,
    "keyconfig.list": _keyconfig_list,
    "keyconfig.suite": _keyconfig_suite,
    "ohttp.open": _ohttp_open,
    "ohttp.respond": _ohttp_respond,
    "ohttp.seal": _ohttp_seal,
    "ohttp.open_response": _ohttp_open_response,
    "ohttp.record": _replay_record,
    "ohttp.open_chunked": _chunked_open,
    "ohttp.respond_chunked": _chunked_respond,
    "ohttp.seal_chunked": _chunked_seal,
    "ohttp.open_chunked_response": _chunked_open_response,
    "bhttp.decode_request": _bhttp_request,
    "bhttp.decode_response": _bhttp_response,
    "bhttp.encode_request": _bhttp_encode_request,
    "bhttp.read_pieces": _read_pieces,
    "bhttp.write_stream": _write_stream,
    "bhttp.varint": _varint,
    "bhttp.bucket": _bucket,
}
