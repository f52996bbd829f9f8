"""Keys of a boot and of an epoch: new each time, shown nowhere, gone when wiped."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.guest.rooms import BOOT

from confide.codes import Code
from confide.formats.dsse import SignatureAlgorithm
from confide.guest import GuestError
from confide.guest.keys import NodeKeys, content_keys
from confide.guest.keysets import make_keyset
from confide.seal.hpke import Kem

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def test_an_epoch_has_one_key_per_kem_post_quantum_first_and_a_boot_a_signing_key_of_each_kind() -> None:
    content, keys = content_keys(range(256)), NodeKeys()
    assert [key.config.kem for key in content] == [Kem.XWING, Kem.X25519]
    assert len({key.config.key_id for key in content}) == 2
    assert (keys.receipt.alg, keys.log.alg) == (SignatureAlgorithm.ED25519, SignatureAlgorithm.ML_DSA_65)


def test_ids_are_drawn_from_those_that_are_free_and_too_few_refuse() -> None:
    assert {key.config.key_id for key in content_keys((7, 9))} == {7, 9}
    for free in ((), (7,)):
        with pytest.raises(GuestError) as refused:
            content_keys(free)
        assert refused.value.code is Code.GUEST_KEY_IDS


def test_two_boots_and_two_epochs_share_nothing() -> None:
    one, two = NodeKeys(), NodeKeys()
    assert one.node_id != two.node_id
    assert one.receipt.public != two.receipt.public
    assert one.log.public != two.log.public
    first, second = ({key.config.public_key for key in content_keys(range(256))} for _ in range(2))
    assert first.isdisjoint(second)


def test_a_repr_shows_no_key() -> None:
    keys, content = NodeKeys(), content_keys(range(256))
    assert len(repr(keys)) < 80
    assert "private" not in (repr(keys) + repr(content) + str(keys)).lower()


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_keys_do_not_leave_the_process(leak: Callable[[Any], Any]) -> None:
    with pytest.raises(GuestError):
        leak(NodeKeys())


def test_wiped_keys_are_gone() -> None:
    keys = NodeKeys()
    keys.wipe()
    keys.wipe()
    for name in ("receipt", "log"):
        with pytest.raises(GuestError) as refused:
            getattr(keys, name)
        assert refused.value.code is Code.GUEST_KEYS_WIPED
    assert "wiped" in repr(keys)


def test_the_keyset_says_what_this_boot_is_and_which_keys_open() -> None:
    signing, content = NodeKeys(), content_keys(range(256))
    until = NOW + timedelta(hours=2)
    keyset = make_keyset(BOOT, signing=signing, content=content, not_before=NOW, not_after=until)
    assert keyset.node_id == signing.node_id
    assert [key.config for key in keyset.ohttp_keys] == [key.config.raw for key in content]
    assert keyset.receipt_keys == (signing.receipt.public, signing.log.public)
    assert (keyset.software_digest, keyset.config_digest) == (BOOT.software_digest, BOOT.config_digest)
    assert keyset.models == BOOT.models
    assert (keyset.not_before, keyset.not_after) == (NOW, until)
