"""Which policy, which signer, which roots, which model digest: the policy decides, and what it does not name is refused."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.client.policies import MINILM, OTHER, policy, text

from confide.client import loading
from confide.client.models import accepted_digests, required_digest
from confide.client.roots import looking_roots, roots_for
from confide.codes import Code
from confide.errors import MisuseError, PolicyError
from confide.formats import dsse, strictjson
from confide.policy.load import sign_policy
from confide.policy.verdict import Verdict


def verdict(**models: str) -> Verdict:
    keyset = SimpleNamespace(models={alias: bytes.fromhex(digest) for alias, digest in models.items()})
    return cast("Verdict", SimpleNamespace(keyset=keyset))


def test_a_model_that_the_policy_names_has_its_digests() -> None:
    assert accepted_digests(policy(), "minilm") == (bytes.fromhex(MINILM), bytes.fromhex(OTHER))


def test_a_model_that_the_policy_does_not_name_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        accepted_digests(policy(), "bert")
    assert caught.value.code is Code.CLIENT_MODEL
    assert "minilm" in caught.value.found


def test_the_digest_that_the_keyset_names_is_required_if_the_policy_accepts_it() -> None:
    assert required_digest(policy(), verdict(minilm=OTHER), "minilm") == bytes.fromhex(OTHER)


def test_a_model_that_came_later_must_be_the_first_that_the_policy_names() -> None:
    assert required_digest(policy(), verdict(), "minilm") == bytes.fromhex(MINILM)


def test_another_model_under_the_same_name_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        required_digest(policy(), verdict(minilm="ef" * 32), "minilm")
    assert caught.value.code is Code.CLIENT_MODEL_DIGEST


def test_simulated_roots_come_only_when_the_policy_says_so_aloud() -> None:
    assert not any(root.simulated for root in roots_for(policy()))
    assert any(root.simulated for root in roots_for(policy(simulated=True)))


def test_without_confide_sim_such_a_policy_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confide_sim", None)
    with pytest.raises(MisuseError) as caught:
        roots_for(policy(simulated=True))
    assert caught.value.code is Code.CLIENT_SIM_MISSING
    assert not any(root.simulated for root in looking_roots())


def test_a_policy_file_is_kept_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_bytes(text())
    loaded = loading.load(tmp_path / "p.toml")
    assert loaded.raw == text()
    assert loading.load(loaded) is loaded
    assert loading.file_name(loaded) == "policy.toml"


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MisuseError) as caught:
        loading.load(tmp_path / "none.toml")
    assert caught.value.code is Code.CLIENT_FILE


def test_a_signed_policy_needs_its_signer(tmp_path: Path) -> None:
    key, other = dsse.SigningKey.generate(), dsse.SigningKey.generate()
    path = tmp_path / "signed.json"
    path.write_bytes(sign_policy(text(), keys=(key,)))
    for name, signer in (("key", key), ("other", other)):
        members = {"alg": signer.public.alg.value, "public_key": strictjson.b64(signer.public.raw)}
        (tmp_path / name).write_text(json.dumps(members))
    loaded = loading.load(path, signers=loading.read_signers([tmp_path / "key"]))
    assert (loaded.signer, loading.file_name(loaded)) == (key.public.keyid, "policy.json")
    for signers in ((), loading.read_signers([tmp_path / "other"])):
        with pytest.raises(PolicyError) as caught:
            loading.load(path, signers=signers)
        assert caught.value.code is Code.POLICY_SIGNER
