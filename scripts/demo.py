"""`make demo`: the main job on two real models, in about ten seconds, on this machine, offline.

    demo.py               the whole tour
    demo.py --text TEXT   start the node again and ask its classifier about your own text, by the policy that the tour left

Starts one process, `confide serve`, and stops it on exit or Ctrl-C. Writes demo-out/ only.
"""

import argparse
import base64
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import confide
from confide.client import judge, saved
from confide.client.source import Obtained
from confide.client.transport import HttpTransport, Reply
from confide.policy.load import load_policy
from confide.policy.model import Policy
from confide.policy.text import render
from confide.policy.trust import Proposal

ROOT = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ.get("CONFIDE_DEMO_MODELS", ROOT / ".cache" / "models"))
OUT = Path("demo-out")
PACKAGES = ("minilm", "triage")
READY = 60.0  # seconds until a node must answer
INTRO = """\
confide demo: ask two language models about text that the owner of their machine must not see.

You check the machine before you send anything. Your text travels sealed to a key that only the checked software holds.
Every answer comes with a signed receipt. Nothing leaves this computer and nothing is downloaded now; it takes about ten
seconds, uses one free local port, and leaves its results in {out}/ (what an earlier run left there is replaced).

This demo asks for no confidential hardware, so the node runs in a SIMULATED one. The checks below are the real ones.
The protection is not: a false vendor signed the evidence. Section 6 shows it refused by a policy for real hardware."""
SENTENCES = ("a doctor", "a physician", "the stock market")
MESSAGES = (
    "My chest hurts and I cannot breathe properly.",
    "I would like to move my appointment to next Tuesday.",
    "Could you send me a copy of last month's bill?",
)


class Clock:
    """Numbered sections, and the seconds each took."""

    def __init__(self) -> None:
        self.sections: list[tuple[str, float]] = []

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Print the heading, then time what is inside."""
        print(f"\n{len(self.sections) + 1}  {title.upper()}\n", flush=True)
        started = time.perf_counter()
        yield
        self.sections.append((title, time.perf_counter() - started))


class Meddler(HttpTransport):
    """A network that counts what is sent through it, and changes what comes back."""

    def __init__(self, url: str, *, evidence: Callable[[bytes], bytes] = bytes, answer: Callable[[bytes], bytes] = bytes) -> None:
        super().__init__(url)
        self.evidence, self.answer = evidence, answer
        self.bodies: list[bytes] = []

    @property
    def sent(self) -> int:
        """Requests that went out."""
        return len(self.bodies)

    def get(self, path: str, *, limit: int) -> Reply:
        """Evidence, perhaps changed."""
        reply = super().get(path, limit=limit)
        return Reply(reply.status, reply.media_type, self.evidence(reply.content))

    def post(self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int) -> Reply:
        """A request: kept, for counting. Its answer, perhaps changed."""
        self.bodies.append(body)
        reply = super().post(path, body, headers=headers, limit=limit)
        return Reply(reply.status, reply.media_type, self.answer(reply.content))


def main() -> int:
    """The tour, or one question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", action="append", metavar="TEXT", help="your own text; repeat for more")
    texts = parser.parse_args().text
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return ask(texts) if texts else tour()
    except confide.ConfideError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return int(error.code.exit)
    except KeyboardInterrupt:
        print("\ninterrupted; the node is stopped", file=sys.stderr)
        return 130


def tour() -> int:
    """Everything, in order."""
    print(INTRO.format(out=OUT))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    clock = Clock()
    with _node(clock) as url:
        policy = check(clock, url)
        answers = use(clock, url, policy)
        prove(clock, policy, answers)
        refuse(clock, url, policy)
    report(clock, answers)
    return 0


def check(clock: Clock, url: str) -> Policy:
    """Section 2: look at the evidence, accept exactly that, and verify by the policy it makes."""
    with clock.section("Check it, before trusting it"):
        print("  The node shows a report, signed by its processor, of the software it runs and the keys it made. We asked for it")
        print("  with a fresh random number, so it is not an old one. What our checks say about it:\n")
        proposal = _trust(url)
        (OUT / "policy.toml").write_bytes(proposal.policy)
        policy = load_policy(proposal.policy)
        verdict = judge.judge(_evidence(url), policy, now=datetime.now(UTC), at=None, state_path=None).verdict
        print(_indent(render(verdict)))
        print(f"\n  wrote {OUT}/policy.toml: it accepts a node with this software and these models, and no other")
    return policy


def use(clock: Clock, url: str, policy: Policy) -> list[confide.Answer]:
    """Section 3 and 4: sealed questions, checked answers."""
    transport = Meddler(url)
    with confide.connect(url, policy=policy, state=None, transport=transport) as node:
        with clock.section("Ask which sentences mean the same (minilm, a sentence encoder)"):
            encoded = node.run("minilm", SENTENCES)
            first, *others = encoded.embeddings
            for sentence, vector in zip(SENTENCES[1:], others, strict=True):
                print(f"  {confide.similarity(first, vector):6.2f}   {SENTENCES[0]}  ~  {sentence}")
            encoded.save(OUT, overwrite=True)
        with clock.section("Ask where messages to a clinic belong (triage, a classifier)"):
            judged = node.run("triage", MESSAGES)
            for label, message in zip(judged.labels, MESSAGES, strict=True):
                print(f"  {label.score:6.0%}   {label.label:<14} {message}")
            print("\n  (made for this demo from 320 sentences of our own: not a medical device)")
            if any(text.encode() in body for text in (*SENTENCES, *MESSAGES) for body in transport.bodies):
                raise SystemExit("error: text went out in the clear; this must never happen, please report it")
            sizes = " and ".join(f"{len(body):,}" for body in transport.bodies)
            print(f"\n  the network saw {transport.sent} sealed requests of {sizes} bytes; none of the text above is in them")
    return [encoded, judged]


def prove(clock: Clock, policy: Policy, answers: list[confide.Answer]) -> None:
    """Section 5: the receipts, offline, from what is saved alone."""
    with clock.section("Check the receipts, without the node"):
        for answer in answers:
            kept = answer.record
            result = saved.verify(saved.Saved(kept.receipt or b"", kept.bundle, kept.request, kept.response, kept.salts), policy)
            digest = result.receipt.model.package.hex()[:16] if result.receipt.model else "none"
            print(f"  receipt {result.receipt.log_index}: {answer.model} (digest {digest}...) gave this answer to this question;")
            print(f"             {len(result.checks)} checks hold; {len(result.not_checked)} things were not checked; SIMULATED")
        print("\n  (the first command below lists what was not checked, and why)")
        print(f"  wrote {OUT}/: receipt.json, and what it is about (request, response, salts) and rests on (bundle, policy)")


def refuse(clock: Clock, url: str, policy: Policy) -> None:
    """Section 6: what must not work, and how much was sent when it did not."""
    with clock.section("See what is refused"):
        production = load_policy(policy.raw.replace(b"unsafe_accept_simulated = true\n", b""))
        _refused("evidence with one bit changed", Meddler(url, evidence=_flip_report), policy)
        _refused("this node, by a policy for real hardware", Meddler(url), production)
        _refused("an answer with one bit changed on the way", Meddler(url, answer=_flip_last), policy)
        kept = saved.find(OUT)
        other = saved.Saved(kept.receipt, kept.bundle, b"another question", kept.response, kept.salts)
        _must_fail("the receipt, shown for another question", lambda: saved.verify(other, policy))


def report(clock: Clock, answers: list[confide.Answer]) -> None:
    """Section 7, and what to try next."""
    print(f"\n{len(clock.sections) + 1}  HOW LONG IT TOOK\n")
    for title, seconds in clock.sections:
        print(f"  {seconds * 1000:8.0f} ms   {title}")
    timing = answers[-1].timing
    core = timing.node.get("core", 0.0)
    parts = {"seal": timing.seal, "model": core, "open": timing.open, "receipt": timing.receipt}
    print("\n  one sealed request with three texts:", f"{timing.total * 1000:.1f} ms, of which", end=" ")
    print(", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in parts.items()))
    command = _command()
    print(f"""
WHAT TO TRY NEXT

  verify that receipt      {command} receipt verify {OUT} --policy {OUT}/policy.toml
  ask about your own text  {_python()} scripts/demo.py --text "I lost my prescription, can I get a new one?"
  look at the evidence     {command} explain {OUT}/bundle.json --policy {OUT}/policy.toml

The node is stopped. SIMULATED: nothing above protects real data.""")


def ask(texts: list[str]) -> int:
    """`confide run`, on a node of its own, by the policy that the tour left (or a new one)."""
    OUT.mkdir(parents=True, exist_ok=True)
    with _node(None) as url:
        if not (OUT / "policy.toml").exists():
            (OUT / "policy.toml").write_bytes(_trust(url).policy)
        words = ["run", url, "triage", *(word for text in texts for word in ("--text", text)), "--policy", f"{OUT}/policy.toml"]
        words += ["--state", f"{OUT}/state.json"]
        print(f"$ confide {shlex.join(words)}", flush=True)
        return subprocess.run([sys.executable, "-m", "confide", *words], check=False, env=_environment()).returncode


@contextmanager
def _node(clock: Clock | None) -> Iterator[str]:
    """`confide serve` in a process of its own, for the length of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    packages = [str(MODELS / f"{name}.confide") for name in PACKAGES]
    words = ["serve", *packages, "--tee", "simulated", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (OUT / "node.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "confide", *words], stdout=log, stderr=log, env=_environment())
        try:
            if clock is None:
                _wait(process, url)
            else:
                with clock.section("Start a node"):
                    print(f"  $ confide serve {' '.join(f'{name}.confide' for name in PACKAGES)} --tee simulated --port {port}")
                    _wait(process, url)
                    print(f"  ready at {url}")
            yield url
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + READY
    transport = HttpTransport(url, timeout=5)
    try:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if transport.get("/readyz", limit=4096).status == 200:
                    return
            except confide.TransportError:
                time.sleep(0.05)
            else:
                time.sleep(0.05)
    finally:
        transport.close()
    log = (OUT / "node.log").read_text(encoding="utf-8", errors="replace").strip()
    raise SystemExit(f"error: the node did not start; its log ends:\n{log[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _trust(url: str) -> Proposal:
    """What `confide trust URL --unsafe-accept-simulated` does, after the yes."""
    return judge.propose(_evidence(url), name="demo", now=datetime.now(UTC), unsafe_accept_simulated=True)


def _evidence(url: str) -> Obtained:
    return judge.ask(url, timeout=30)


def _refused(what: str, transport: Meddler, policy: Policy) -> None:
    def attempt() -> None:
        try:
            with confide.connect(transport.url, policy=policy, state=None, transport=transport) as node:
                node.run("minilm", SENTENCES)
        finally:
            transport.close()

    _must_fail(what, attempt, sent=lambda: transport.sent)


def _must_fail(what: str, attempt: Callable[[], object], *, sent: Callable[[], int] | None = None) -> None:
    try:
        attempt()
    except confide.ConfideError as error:
        outcome = "" if sent is None else ", nothing was sent" if not sent() else ", no answer is handed out"
        print(f"  {what:<42} refused{outcome}\n  {'':<42} {error.code.meaning} ({error.code.value})")
    else:
        raise SystemExit(f"error: {what} was not refused; this must never happen, please report it")


def _flip_report(document: bytes) -> bytes:
    """One bit of the attestation report, in the middle of what the chip signed."""
    members = json.loads(document)
    report = bytearray(base64.b64decode(members["evidence"][0]["value"]))
    report[0x90] ^= 1  # the first byte of MEASUREMENT (AMD 56860, table 23)
    members["evidence"][0]["value"] = base64.b64encode(report).decode()
    return json.dumps(members, separators=(",", ":")).encode()


def _flip_last(body: bytes) -> bytes:
    return body[:-1] + bytes((body[-1] ^ 1,))


def _indent(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip().splitlines())


def _environment() -> dict[str, str]:
    """The node's settings come from its command line alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONFIDE_")}


def _python() -> str:
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _command() -> str:
    script = Path(sys.executable).with_name("confide")
    return str(Path(_python()).with_name("confide")) if script.exists() else f"{_python()} -m confide"


def _interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - a signal handler's signature
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
