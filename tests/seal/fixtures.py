"""A node's keys and a client's view of them, made fresh: nothing here is a stand-in for our own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from confide.codes import Code
from confide.errors import ConfideError
from confide.seal.hpke import Aead, Kem, PrivateKey
from confide.seal.keyconfig import KeyConfig, build_key_config
from confide.seal.keystore import KeyStore
from confide.seal.ohttp import Gateway

KEMS = list(Kem)
AEADS = list(Aead)


@dataclass
class Node:
    """A gateway with one key per KEM: id 1 is X25519, id 2 X-Wing."""

    keys: KeyStore
    gateway: Gateway
    configs: dict[Kem, KeyConfig]


def node(*, replay_capacity: int = 1000, max_message: int = 1 << 20) -> Node:
    keys, configs = KeyStore(), {}
    for key_id, kem in enumerate(KEMS, start=1):
        private = PrivateKey.generate(kem)
        configs[kem] = build_key_config(key_id, kem, private.public_bytes)
        keys.add(configs[kem], private, replay_capacity=replay_capacity)
    return Node(keys, Gateway(keys, max_message=max_message), configs)


@contextmanager
def refused(code: Code) -> Iterator[pytest.ExceptionInfo[ConfideError]]:
    """The block raises our error with exactly this code."""
    with pytest.raises(ConfideError) as info:
        yield info
    assert info.value.code is code, f"{info.value}"
    assert info.value.found
    assert info.value.wanted


def flipped(data: bytes, position: int, bit: int = 0) -> bytes:
    """`data` with one bit flipped."""
    return data[:position] + bytes((data[position] ^ 1 << bit,)) + data[position + 1 :]
