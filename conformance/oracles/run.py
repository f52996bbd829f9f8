"""Asks every referee that builds here, and compares.

    python -m conformance.oracles.run [DIR] [--flips N] [--referee NAME]... [--write]

DIR is a folder of recorded evidence with a MANIFEST.json. `--write` keeps the table in `bench/results/oracles.json`.

What counts is evidence that a referee refuses and this verifier accepts: each such case has its reason in `EXPLAINED`, or the exit
status is 1. What only this verifier refuses is counted by its code. A referee whose toolchain is missing is left out, and named.
"""

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]
sys.path.extend([str(ROOT / "src"), str(ROOT / "sim" / "src")])

from conformance.oracles.cases import Case, all_cases  # noqa: E402 - behind the paths

HERE, CACHE = Path(__file__).resolve().parent, ROOT / ".cache" / "oracles"
RESULTS = ROOT / "bench" / "results" / "oracles.json"
MINUTES = 10 * 60


class NotHereError(Exception):
    """A referee that cannot be built here; its text says why."""


@dataclass(frozen=True)
class Referee:
    """A program around somebody's verifier.

    Attributes:
        judges: kinds of evidence, each with the library and its version.
        build: makes it; the command that runs it.
    """

    name: str
    judges: dict[str, str]
    build: Callable[[], list[str]]


@dataclass
class Tally:
    """Two opinions on one kind."""

    kind: str
    library: str
    cases: int = 0
    both_accept: int = 0
    both_refuse: int = 0
    not_judged: int = 0
    only_we_refuse: Counter[str] = field(default_factory=Counter)
    only_they_refuse: Counter[str] = field(default_factory=Counter)
    unexplained: dict[str, str] = field(default_factory=dict)


def run_tool(*command: str | Path, cwd: Path | None = None) -> None:
    """A step of a build, quiet unless it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=MINUTES, check=False)
    if done.returncode:
        raise NotHereError(f"{command[0]} failed: {done.stderr.strip()[-400:]}")


def need(tool: str) -> str:
    """The path of a tool."""
    found = shutil.which(tool)
    if found is None:
        raise NotHereError(f"no {tool} on this machine")
    return found


def dcap() -> list[str]:
    """A wheel of the development requirements."""
    if importlib.util.find_spec("dcap_qvl") is None:
        raise NotHereError("dcap-qvl is not installed")
    return [sys.executable, str(HERE / "dcap" / "judge.py")]


def go() -> list[str]:
    """Google's two libraries."""
    CACHE.mkdir(parents=True, exist_ok=True)
    run_tool(need("go"), "build", "-mod=readonly", "-o", CACHE / "go-referee", ".", cwd=HERE / "go")
    return [str(CACHE / "go-referee")]


NITRO_CRATES = "attestation-doc-validation 0.10.1, nitro_attest 0.2.0"
OWN_CHAIN = "not read: the quote's own chain says who signs the list"
ROOT_CAME = r"validate root cert|interpret Root CA certificate|interpret DER bytes of root certificate"


def rust() -> list[str]:
    """Four crates' verifiers. Five minutes to build, once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / "rust"
    manifest = HERE / "rust" / "Cargo.toml"
    run_tool(need("cargo"), "build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", target, cwd=CACHE)
    return [str(target / "release" / "referee")]


def nvidia() -> list[str]:
    """NVIDIA's own, in an environment of its own on Python 3.11: its pins are old."""
    place, lock = CACHE / "nvidia", HERE / "nvidia" / "requirements.txt"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or need("uv")
    run_tool(uv, "--quiet", "venv", "--clear", "--no-python-downloads", "--python", "3.11", place)
    python = place / "bin" / "python"
    run_tool(uv, "--quiet", "pip", "install", "--python", python, "--no-deps", "--require-hashes", "-r", lock)
    return [str(python), str(HERE / "nvidia" / "judge.py")]


REFEREES = (
    Referee("dcap", {"sgx": "dcap-qvl", "tdx": "dcap-qvl"}, dcap),
    Referee("go", {"snp": "go-sev-guest 0.15.0", "tdx": "go-tdx-guest 0.3.1"}, go),
    Referee("nvidia", {"nvidia": "nv-local-gpu-verifier 2.7.3"}, nvidia),
    Referee("rust", {"nitro": NITRO_CRATES, "nitrotpm": NITRO_CRATES, "cca": "ccatoken 0.1.0", "snp": "sev 8.0.0"}, rust),
)

# Evidence that a referee refuses and we accept: of which case it says what (regular expressions), and why it is no fault of ours.
EXPLAINED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "nvidia": (
        (
            "false/",
            "X509 certificate from the RIM",
            "false manifests lack the prefix and the line ends that NVIDIA's have, which its library needs",
        ),
        ("/ocsp/", "", "revocation was not required here: a response that does not count leaves the status unknown, which is told"),
        (
            "/cert-chain/",
            "individual certificates",
            "white space between the lines of PEM, or the copy of the root, which is pinned",
        ),
    ),
    "nitro": (("recorded/", "InvalidNonce", "a nonce of 1024 bytes, of a genuine document; AWS writes of 512"),),
    "snp": (
        ("false/", "subject locality", "the false AMD has another name than AMD, on purpose"),
        ("recorded/", 'product line: "Unknown"', "a product that the library does not know"),
        ("recorded/", "not an AMD KDS OID", "the extension of Turin's FMC, which the library does not know"),
        ("recorded/", "missing intermediate", "the ASVK is not in the case; it is shipped here"),
    ),
    "sgx": (("/pck-crl-chain/", "", OWN_CHAIN),),
    "tdx": (
        ("/pck-crl-chain/", "", OWN_CHAIN),
        (
            "",
            ROOT_CAME,
            "a copy of the root that came along: here it has the pinned root's name and key, and nothing else of it counts",
        ),
        (
            "false/",
            "PCK certificate extensions length",
            "the false Intel's certificates have fewer extensions, which the library counts",
        ),
        ("/(quote|tcb-info-chain|qe-identity-chain)/", "PEM", "white space between the lines of PEM, which stands for nothing"),
        ("", "FMSPC", "hexadecimal digits in capitals"),
        ("", "Debug mode is enabled", "genuine, and refused by each policy that does not take debugging by name"),
    ),
}


def ask(command: Sequence[str], cases: Sequence[Case]) -> dict[str, tuple[bool | None, str]]:
    """Opinions by id."""
    asked = "".join(case.line() + "\n" for case in cases)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=MINUTES, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["id"]: (each["accepted"], each["why"]) for each in said}


def compare(referee: Referee, command: Sequence[str], cases: Sequence[Case]) -> list[Tally]:
    """One tally a kind."""
    tallies = {kind: Tally(kind, library) for kind, library in referee.judges.items()}
    mine = [case for case in cases if case.evidence.kind in tallies]
    theirs = ask(command, mine)
    for case in mine:
        tally, ours = tallies[case.evidence.kind], case.ours()
        accepted, why = theirs.get(case.id, (False, "no answer"))
        tally.cases += 1
        if accepted is None:
            tally.not_judged += 1
        elif accepted == (ours is None):
            tally.both_accept += accepted
            tally.both_refuse += not accepted
        elif accepted:
            tally.only_we_refuse[str(ours)] += 1
        else:
            reason = explained(tally.kind, case.id, why)
            tally.only_they_refuse[reason or "unexplained"] += 1
            tally.unexplained |= {case.id: why} if reason is None else {}
    return list(tallies.values())


def explained(kind: str, case: str, why: str) -> str | None:
    """The reason, if there is one."""
    rows = EXPLAINED.get(kind, ())
    return next((reason for name, said, reason in rows if re.search(name, case) and re.search(said, why)), None)


def show(tally: Tally) -> None:
    """For people."""
    counts = {
        "cases": tally.cases,
        "both accept": tally.both_accept,
        "both refuse": tally.both_refuse,
        "only we refuse": sum(tally.only_we_refuse.values()),
        "only they refuse": sum(tally.only_they_refuse.values()),
        "not judged": tally.not_judged,
    }
    print(f"{tally.kind:<10}{tally.library:<34}" + "".join(f"{count:>7} {what}" for what, count in counts.items()))
    for code, count in tally.only_we_refuse.most_common():
        print(f"  only we refuse {count:>5}  {code}")
    for reason, count in tally.only_they_refuse.most_common():
        print(f"  only they refuse {count:>5}  {reason}")
    for case, why in sorted(tally.unexplained.items()):
        print(f"  UNEXPLAINED  {case}: {why[:200]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module docstring."""
    parser = argparse.ArgumentParser(description="Compare this verifier with others.")
    parser.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="recorded evidence with a MANIFEST.json")
    parser.add_argument("--flips", type=int, default=1000, metavar="N", help="flipped bits of each piece of false evidence")
    parser.add_argument("--referee", action="append", default=[], help="only this one (may be repeated)")
    parser.add_argument("--write", action="store_true", help=f"keep the table in {RESULTS.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    if options.folder is not None and not (options.folder / "MANIFEST.json").is_file():
        parser.error(f"{options.folder}: no MANIFEST.json; wanted a folder of recorded evidence, or none")
    tallies: list[Tally] = []
    for referee in REFEREES:
        if options.referee and referee.name not in options.referee:
            continue
        try:
            command = referee.build()
        except NotHereError as error:
            print(f"{referee.name}: left out: {error}", file=sys.stderr)
            continue
        cases = all_cases(options.folder, frozenset(referee.judges), count=options.flips)
        tallies += compare(referee, command, cases)
    for tally in tallies:
        show(tally)
    if options.write:
        RESULTS.write_text(json.dumps([vars(tally) for tally in tallies], indent=1) + "\n")
    return 1 if any(tally.unexplained for tally in tallies) or not tallies else 0


if __name__ == "__main__":
    sys.exit(main())
