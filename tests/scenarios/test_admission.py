"""Custody, from the owner's key to a client's verdict: admitted, ended, renewed, stolen, and by somebody else."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.client.nodes import changed, trusting
from tests.scenarios.nodes import environment
from tests.server.running import Served, config, served
from tests.support import refused

import confide
from confide.attest.admission import sign_admission
from confide.attest.document import parse_document
from confide.attest.publickeys import key_text
from confide.cli import admit as admit_command
from confide.cli.app import run
from confide.client import source
from confide.client.admission import Owner, admit, task_of
from confide.client.flow import drive
from confide.client.keyfiles import new_key_file, read_key_file
from confide.client.renewal import Event, renew
from confide.client.transport import HttpTransport
from confide.codes import Code
from confide.errors import ConfideError, RemoteError, TransportError
from confide.formats.dsse import SigningKey
from confide.policy.model import Policy
from confide.policy.verdict import Custody, Verdict

OWNER, OTHER = SigningKey.generate(), SigningKey.generate()
PLACE = "Paris, rack 4"
QUICK = {"limits__gather_ms": 5, "limits__quote_interval_ms": 1}


@contextmanager
def node(key: SigningKey | None = OWNER, **flags: Any) -> Iterator[Served]:
    owned = {"authority_key": key_text(key.public)} if key else {}
    with served(config(**QUICK, **owned, **flags)) as running:
        yield running


@pytest.fixture(scope="module")
def here() -> Iterator[Served]:
    with node() as running:
        yield running


@pytest.fixture(scope="module")
def policy(here: Served) -> Policy:
    """Exactly this software, and the owner's word for the machine."""
    loaded = trusting(here.url)
    assert loaded.require.admission
    return loaded


def owner(key: SigningKey = OWNER, *, place: str = PLACE, hours: float = 1) -> Owner:
    return Owner(key, place, timedelta(hours=hours))


def connect(there: Served, policy: Policy, **more: Any) -> confide.Node:
    return confide.connect(there.url, policy=policy, state=None, patience=0, **more)


def document(there: Served) -> bytes:
    transport = HttpTransport(there.url)
    try:
        return source.from_node(transport).document
    finally:
        transport.close()


@dataclass
class Clock:
    """A client's clock."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def test_from_refused_to_admitted_to_ended_to_renewed(policy: Policy) -> None:
    with node() as there:
        with refused(Code.POLICY_ADMISSION):
            connect(there, policy)
        shown: list[dict[str, str]] = []
        first = admit(there.url, policy=policy, owner=owner(hours=0.5), announce=lambda candidate: shown.append(candidate.facts))
        assert first.verdict.custody is Custody.ADMISSION
        assert (shown[0]["place"], shown[0]["platform"]) == (PLACE, first.verdict.claims[0].platform_id)
        clock = Clock()
        with connect(there, policy, now=clock) as client:
            verdict = client.verdict
            assert verdict.admission == first.admission
            assert verdict.expires == first.admission.not_after  # before the keyset's
            assert client.run("encoder", "a doctor").receipt is not None
            clock.ahead = timedelta(minutes=31)
            with refused(Code.ADMISSION_EXPIRED):  # the client verified anew, because its verdict had ended
                client.run("encoder", "a doctor")
            second = admit(there.url, policy=policy, owner=owner(hours=1))
            assert second.admission.not_after > first.admission.not_after
            assert client.run("encoder", "a doctor").receipt is not None
            assert client.verdict.admission == second.admission


def test_a_policy_that_demands_an_admission_can_be_used_for_admitting_and_for_nothing_else(here: Served, policy: Policy) -> None:
    seen: list[Any] = []
    admit(here.url, policy=policy, owner=owner(), announce=seen.append)
    verdict = seen[0].verdict
    assert not isinstance(verdict, Verdict)
    assert "admission" in [item.what for item in verdict.not_checked]
    assert verdict.custody is Custody.NOT_CHECKED


def test_everything_else_is_verified_before_anything_is_signed(here: Served, policy: Policy) -> None:
    signed: list[Any] = []
    software = policy.node.software_digests
    assert isinstance(software, tuple)
    other = changed(policy, (software[0].hex(), "00" * 32))
    with refused(Code.POLICY_SOFTWARE_DIGEST):
        admit(here.url, policy=other, owner=owner(), announce=signed.append)
    with refused(Code.X509_ROOT):  # a policy for production knows no false vendor
        admit(here.url, policy=changed(policy, ("unsafe_accept_simulated = true\n", "")), owner=owner(), announce=signed.append)
    assert signed == []


def test_another_owners_word_is_refused_everywhere(here: Served, policy: Policy) -> None:
    """Before signing by the owner's own tool; by the node, whatever tool was used; by the client."""
    with refused(Code.ADMISSION_AUTHORITY):
        admit(here.url, policy=policy, owner=owner(OTHER))
    with pytest.raises(RemoteError) as caught:
        deliver(here, policy, lambda made: sign_admission(made, key=OTHER))
    assert caught.value.code is Code.ADMISSION_SIGNATURE


def deliver(there: Served, policy: Policy, sign: Callable[[Any], bytes]) -> None:
    """An envelope of anybody's through the seal, past the owner's own checks."""
    from confide.client import admission  # noqa: PLC0415

    task = task_of(policy, owner(), policy_signers=(), state_path=None, now=lambda: datetime.now(UTC))
    transport = HttpTransport(there.url)
    try:
        candidate = drive(admission.look(task), transport)
        drive(admission._deliver(candidate, sign(candidate.admission), task), transport)
    finally:
        transport.close()


def test_a_node_of_another_owner_does_not_fit_the_policy(policy: Policy) -> None:
    with node(OTHER) as there:
        with pytest.raises(ConfideError) as caught:
            admit(there.url, policy=policy, owner=owner())
        assert caught.value.code in {Code.POLICY_AUTHORITY_KEY, Code.POLICY_CONFIG_DIGEST}


def test_a_node_without_an_owner_cannot_be_admitted(here: Served) -> None:
    with node(None) as there:
        alone = trusting(there.url)
        assert not alone.require.admission
        with refused(Code.ADMISSION_AUTHORITY):
            admit(there.url, policy=alone, owner=owner())
        with connect(there, alone) as client:
            assert client.verdict.custody is Custody.NOT_CHECKED
            assert "custody" in [item.what for item in client.verdict.not_checked]


def test_a_stolen_admission_is_refused_by_another_node(here: Served, policy: Policy) -> None:
    stolen = admit(here.url, policy=policy, owner=owner()).envelope
    with node() as thief:  # the same image, configuration and, since false chips are named alike, the same chip: another boot
        with pytest.raises(RemoteError) as caught:
            deliver(thief, policy, lambda _: stolen)
        assert caught.value.code in {Code.ADMISSION_NODE, Code.ADMISSION_NODE_KEY}
        assert parse_document(document(thief)).admission is None
        with refused(Code.POLICY_ADMISSION):
            connect(thief, policy)


def test_an_old_admission_does_not_cut_a_new_one_short(here: Served, policy: Policy) -> None:
    old = admit(here.url, policy=policy, owner=owner(hours=2)).envelope
    new = admit(here.url, policy=policy, owner=owner(hours=4))
    with pytest.raises(RemoteError) as caught:
        deliver(here, policy, lambda _: old)
    assert caught.value.code is Code.ADMISSION_OLDER
    assert parse_document(document(here)).admission == new.envelope


def test_places_are_the_policys_word_and_are_asked_before_signing(here: Served, policy: Policy) -> None:
    text = policy.raw.decode() + f'\n[require]\nplaces = ["{PLACE}", "Lyon"]\n'
    placed = confide_policy(text)
    assert admit(here.url, policy=placed, owner=owner(hours=5)).admission.place == PLACE
    with connect(here, placed) as client:
        assert client.verdict.admission is not None
    with refused(Code.ADMISSION_PLACE):
        admit(here.url, policy=placed, owner=owner(place="Rome", hours=6))
    admit(here.url, policy=policy, owner=owner(place="Rome", hours=6))  # a policy without places takes any
    with refused(Code.ADMISSION_PLACE):
        connect(here, placed)


def confide_policy(text: str) -> Policy:
    from confide.policy.load import load_policy  # noqa: PLC0415

    return load_policy(text.encode())


@pytest.mark.parametrize("hours", [24.01, 0, -1])
def test_windows_that_nobody_accepts_are_not_signed(here: Served, policy: Policy, hours: float) -> None:
    with refused(Code.ADMISSION_WINDOW):
        admit(here.url, policy=policy, owner=owner(hours=hours))


def test_a_whole_day_is_allowed(here: Served, policy: Policy) -> None:
    with node() as there:
        admission = admit(there.url, policy=policy, owner=owner(hours=24)).admission
    assert admission.not_after - admission.not_before == timedelta(hours=24)


def test_a_platform_list_is_custody_too(here: Served, policy: Policy) -> None:
    chip = admit(here.url, policy=policy, owner=owner(hours=7)).admission.platform_id
    listed = confide_policy(policy.raw.decode().replace('tee = "snp"\n', f'tee = "snp"\nchip_ids = ["{chip}"]\n'))
    with connect(here, listed) as client:
        assert client.verdict.custody is Custody.ADMISSION_AND_CHIP_LIST
    alone = confide_policy(listed.raw.decode() + '\n[require]\nadmission = "unsafe_ignored"\n')
    with connect(here, alone) as client:
        assert client.verdict.custody is Custody.CHIP_LIST
        assert "require.admission" in [item.setting for item in client.verdict.relaxations]
    foreign = confide_policy(listed.raw.decode().replace(chip, "0d" * 64))
    with refused(Code.SNP_CHIP_ID):
        connect(here, foreign)
    with refused(Code.SNP_CHIP_ID):
        admit(here.url, policy=foreign, owner=owner())


def test_an_admission_outlives_the_content_keys(policy: Policy) -> None:
    """It names a receipt key, which lives as long as the boot: at a rotation the owner does nothing."""
    with node(active_seconds=1, stale_seconds=5) as there:
        strict = trusting(there.url)
        admitted = admit(there.url, policy=strict, owner=owner())
        first = parse_document(document(there)).keyset
        until = datetime.now(UTC) + timedelta(seconds=20)
        while (now := parse_document(document(there))).keyset == first and datetime.now(UTC) < until:
            time.sleep(0.1)
        assert now.keyset.digest != first.digest
        assert now.admission == admitted.envelope
        with connect(there, strict) as client:
            assert client.verdict.admission == admitted.admission


def test_an_owner_may_have_a_post_quantum_key(tmp_path: Path) -> None:
    key = read_key_file(new_key_file(tmp_path / "owner.key", alg="ml-dsa-65").private)
    with node(key) as there:
        strict = trusting(there.url)
        admitted = admit(there.url, policy=strict, owner=owner(key))
        with connect(there, strict) as client:
            assert client.verdict.admission == admitted.admission


def test_an_admission_that_ends_leaves_the_documents(here: Served, policy: Policy) -> None:
    with node() as there:
        strict = trusting(there.url)
        admit(there.url, policy=strict, owner=Owner(OWNER, PLACE, timedelta(seconds=3)))
        assert parse_document(document(there)).admission is not None
        until = datetime.now(UTC) + timedelta(seconds=20)
        while parse_document(document(there)).admission is not None and datetime.now(UTC) < until:
            time.sleep(0.1)
        with refused(Code.POLICY_ADMISSION):
            connect(there, strict)


# --- renewing --------------------------------------------------------------------------------------------------------------------


def test_renewing_survives_restarts_and_says_each_step(policy: Policy) -> None:
    """Admitted; renewed when two thirds of the time are over; restarted with new keys on the same port, and admitted anew."""
    events: list[Event] = []
    clock = Clock()
    nodes: list[Served] = []

    def keep_on() -> bool:
        done = [event.what for event in events]
        if done == ["admitted"]:
            clock.ahead = timedelta(minutes=4.5)
        if done[-1:] == ["renewed"] and len(nodes) == 1:
            nodes[0].stop()
            nodes.append(restarted(nodes[0].address[1]))
        return done.count("admitted") < 2

    with node() as first:
        nodes.append(first)
        six_minutes = Owner(OWNER, PLACE, timedelta(minutes=6))
        renew(first.url, policy=policy, owner=six_minutes, tell=events.append, look_seconds=0.05, keep_on=keep_on, now=clock)
        nodes[1].stop()
    said = [event.what for event in events if event.what != "waiting"]
    assert said == ["admitted", "renewed", "restarted", "admitted"]
    first_boot, same_boot, second_boot = (event.admitted.admission for event in events if event.admitted)
    assert first_boot.node_id == same_boot.node_id != second_boot.node_id
    assert same_boot.not_after > first_boot.not_after


def restarted(port: int) -> Served:
    again = Served(config(**QUICK, authority_key=key_text(OWNER.public), port=port))
    assert again.ready.wait(60)
    assert again.error is None
    return again


def test_renewing_gives_up_after_ten_failures_in_a_row(policy: Policy) -> None:
    with node() as there:
        url = there.url
    events: list[Event] = []
    with refused(Code.TRANSPORT_UNREACHABLE):
        renew(url, policy=policy, owner=owner(), tell=events.append, look_seconds=0.01, timeout=1, patience=0)
    assert [(event.what, event.attempt) for event in events] == [("waiting", attempt) for attempt in range(1, 10)]


def test_renewing_ends_at_once_when_the_node_is_no_longer_what_the_policy_wants(policy: Policy) -> None:
    events: list[Event] = []
    with node(document_seconds=1800) as other, refused(Code.POLICY_CONFIG_DIGEST):
        renew(other.url, policy=policy, owner=owner(), tell=events.append, look_seconds=0.01)
    assert events == []


# --- commands --------------------------------------------------------------------------------------------------------------------


def test_the_commands_admit_a_node(here: Served, policy: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pass").write_text("correct horse\n")
    key, passphrase = tmp_path / "owner.key", tmp_path / "pass"
    made = new_key_file(key, passphrase_file=passphrase)
    with node(read_key_file(key, passphrase_file=passphrase)) as there:
        file = tmp_path / "policy.toml"
        file.write_bytes(trusting(there.url).raw)
        assert "confide admit" in file.read_text()
        words = ["--policy", str(file), "--state", str(tmp_path / "state.json")]
        assert run(["verify", there.url, *words]) == 5
        assert "policy.admission" in capsys.readouterr().err
        admit_words = ["admit", there.url, *words, "--key", str(key), "--place", PLACE, "--hours", "2"]
        assert run(admit_words) == 2  # an encrypted key without its passphrase
        assert "--passphrase-file" in capsys.readouterr().err
        assert run([*admit_words, "--passphrase-file", str(passphrase)]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("admitted node ")
        assert "custody: admission" in out
        assert "SIMULATED" in err
        assert PLACE in err
        assert run([*admit_words, "--passphrase-file", str(passphrase), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["custody"], told["place"], told["simulated"]) == ("admission", PLACE, True)
        assert run(["verify", there.url, *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["custody"] == "admission"
    assert made.text in file.read_text()
    for secret in ("correct horse", key.read_text().splitlines()[1]):
        assert secret not in out + err


def test_the_lines_of_renewing_are_clear(here: Served, policy: Policy, capsys: pytest.CaptureFixture[str]) -> None:
    admitted = admit(here.url, policy=policy, owner=owner(hours=8))
    failure = TransportError(Code.TRANSPORT_UNREACHABLE, found="no connection", wanted=here.url)
    events = (
        Event("admitted", admitted),
        Event("renewed", admitted),
        Event("restarted"),
        Event("waiting", error=failure, attempt=3, pause=15.0),
    )
    for as_json in (False, True):
        for event in events:
            admit_command._tell(event, as_json=as_json)
    lines = capsys.readouterr().out.splitlines()
    text, told = lines[:4], [json.loads(line) for line in lines[4:]]
    until = admitted.candidate.facts["until"]
    assert text[0] == f"admitted node {admitted.admission.node_id.hex()[:16]}… at {PLACE} until {until}; custody: admission"
    assert text[1].startswith("renewed node ")
    assert "restarted" in text[2]
    assert text[3] == "no answer (transport.unreachable: no connection); looking again in 15 s, attempt 3"
    assert [each["event"] for each in told] == ["admitted", "renewed", "restarted", "waiting"]
    assert told[3]["error"]["code"] == "transport.unreachable"
    assert told[0]["until"] == until


def test_the_command_renews_until_it_is_stopped(here: Served, policy: Policy, tmp_path: Path) -> None:
    key = tmp_path / "owner.key"
    new_key_file(key)
    with node(read_key_file(key)) as there:
        file = tmp_path / "policy.toml"
        file.write_bytes(trusting(there.url).raw)
        words = ["admit", there.url, "--policy", str(file), "--key", str(key), "--place", PLACE, "--renew", "--json"]
        environ = {**environment(), "CONFIDE_STATE": str(tmp_path / "state.json")}
        process = subprocess.Popen([sys.executable, "-m", "confide", *words], stdout=subprocess.PIPE, text=True, env=environ)
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["event"] == "admitted"
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        finally:
            process.kill()
        assert (process.returncode, rest) == (130, "")
        assert parse_document(document(there)).admission is not None
