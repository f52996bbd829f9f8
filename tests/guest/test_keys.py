"""Keys of a boot: new each time, shown nowhere, gone when wiped."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from confide.attest.keyset import Isolation
from confide.codes import Code
from confide.errors import ChannelError
from confide.formats.dsse import SignatureAlgorithm
from confide.guest import GuestError
from confide.guest.keys import NodeKeys
from confide.guest.keysets import Boot, make_keyset
from confide.seal.hpke import Kem

BOOT = Boot(
    software_digest=b"\x01" * 32,
    config_digest=b"\x02" * 32,
    isolation=Isolation.WORKER_PROCESS,
    models={"minilm": b"\x03" * 32},
    lifetime=timedelta(hours=2),
)
NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


def test_there_is_one_key_per_kem_post_quantum_first_and_a_receipt_key_of_each_kind() -> None:
    keys = NodeKeys()
    assert [pair.config.kem for pair in keys.ohttp] == [Kem.XWING, Kem.X25519]
    assert len({pair.config.key_id for pair in keys.ohttp}) == 2
    assert (keys.receipt.alg, keys.log.alg) == (SignatureAlgorithm.ED25519, SignatureAlgorithm.ML_DSA_65)


def test_two_boots_share_nothing() -> None:
    one, two = NodeKeys(), NodeKeys()
    assert one.node_id != two.node_id
    assert one.receipt.public != two.receipt.public
    assert {pair.config.public_key for pair in one.ohttp}.isdisjoint(pair.config.public_key for pair in two.ohttp)


def test_a_repr_shows_no_key() -> None:
    keys = NodeKeys()
    shown = repr(keys) + repr(keys.ohttp) + str(keys)
    assert len(repr(keys)) < 80
    assert "private" not in shown.lower()


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_keys_do_not_leave_the_process(leak: Callable[[Any], Any]) -> None:
    with pytest.raises(GuestError):
        leak(NodeKeys())


def test_wiped_keys_are_gone() -> None:
    keys = NodeKeys()
    private = keys.ohttp[0].private
    keys.wipe()
    keys.wipe()
    for use in (lambda: keys.ohttp, lambda: keys.receipt, lambda: keys.log):
        with pytest.raises(GuestError) as refused:
            use()
        assert refused.value.code is Code.GUEST_KEYS_WIPED
    with pytest.raises(ChannelError):
        private.decapsulate(bytes(1120))
    assert "wiped" in repr(keys)


def test_the_keyset_says_what_this_boot_is() -> None:
    keys = NodeKeys()
    keyset = make_keyset(keys, BOOT, now=NOW)
    assert keyset.node_id == keys.node_id
    assert [key.config for key in keyset.ohttp_keys] == [pair.config.raw for pair in keys.ohttp]
    assert keyset.receipt_keys == (keys.receipt.public, keys.log.public)
    assert (keyset.software_digest, keyset.config_digest) == (BOOT.software_digest, BOOT.config_digest)
    assert keyset.models == BOOT.models
    assert keyset.not_before < NOW < keyset.not_after <= NOW + BOOT.lifetime
