"""CPU of the cryptographic primitives that one request needs, alone: open, seal, sign. What the server tax leaves out."""

import time
from collections.abc import Callable
from typing import TypeVar

from bench.cpu import Figure
from confide.formats.dsse import SigningKey
from confide.seal.hpke import Kem, PrivateKey
from confide.seal.keyconfig import build_key_config
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway, seal_request

A = TypeVar("A")
R = TypeVar("R")


def per_request_us(*, request: int, response: int, pause: float = 0.0, n: int = 400) -> dict[str, Figure]:
    """Open a request of so many bytes, seal a response of so many, make one Ed25519 signature; microseconds of CPU each.

    With a `pause` before each request the caches are as cold as those of a node that waits for its model.
    """
    kem = Kem.XWING
    private = PrivateKey.generate(kem)
    config = build_key_config(1, kem, private.public_bytes)
    keys = KeyStore()
    keys.add(config, private)
    gateway = Gateway(keys)
    bodies = [seal_request(config, bytes(request)).body for _ in range(n)]
    signer, message = SigningKey.generate(), bytes(2048)
    samples: dict[str, list[float]] = {"open": [], "seal": [], "sign": []}
    for body in bodies:
        time.sleep(pause)
        opened, seconds = _timed(gateway.open, body)
        samples["open"].append(seconds)
        samples["seal"].append(_timed(opened.sealer.seal, bytes(response))[1])
        samples["sign"].append(_timed(signer.sign, message)[1])
    return {name: Figure.of(values, "us") for name, values in samples.items()}


def _timed(call: Callable[[A], R], argument: A) -> tuple[R, float]:
    start = time.process_time_ns()
    result = call(argument)
    return result, (time.process_time_ns() - start) / 1e3
