"""Run the suites of `make test` one after the other and report the time of each.

`suites.py NAME...` runs some; `--deep` runs all in full.

Environments (made by `uv`, hash-checked): `.venv-dev` (newest Python, source tree), `.venv-oldest` (Python 3.11, source tree),
`.venv-wheel` (the built wheels with the node's packages), `.venv-client` (the built wheel alone: the base client).
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOGETHER = ("-n", "2")  # two processes (pytest-xdist); `unit` measures coverage and stays alone
DEV = ROOT / ".venv-dev" / "bin"
BASE_CLIENT_LIMIT_MB = 25  # "about 20 MB installed" (the issue of the base client); CI notices growth
COVERAGE_FLOOR = {"attest": 97, "policy": 97, "seal": 97, "receipt": 97}  # percent of branches, security-critical rooms


class SkippedError(Exception):
    """A suite that cannot run here; its text says why."""


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    deep: bool

    @property
    def marker(self) -> list[str]:
        """Pytest arguments that leave the long runs out."""
        return [] if self.deep else ["-m", "not deep"]


def sh(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command and raise when it fails."""
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env={**os.environ, **environment})


def python(*arguments: str | Path) -> None:
    """Run the development environment's Python."""
    sh(DEV / "python", *arguments)


def static(_: Options) -> None:
    """Lint, formatting and types."""
    paths = ["src", "sim/src", "tests", "conformance", "bench", "scripts", "models"]
    sh(DEV / "ruff", "check", "--quiet", *paths)
    sh(DEV / "ruff", "format", "--check", "--quiet", *paths)
    sh(DEV / "mypy", "src", "sim/src")
    sh(DEV / "mypy", "tests", "conformance", "bench", "scripts", MYPYPATH="src:sim/src:.")


def sync(_: Options) -> None:
    """Generated files are current: code tables, vectors, command-line reference, the classifier's weights."""
    for script in ("spec_codes.py", "make_vectors.py", "cli_docs.py", "failures_page.py"):
        python(f"scripts/{script}", "--check")
    python("models/triage/train.py", "--check")


def unit(options: Options) -> None:
    """All tests on the newest Python with branch coverage."""
    for stale in ROOT.glob(".coverage*"):
        stale.unlink()
    python("-m", "coverage", "run", "-m", "pytest", "-q", "--durations=8", *options.marker)
    python("-m", "coverage", "combine", "--quiet")
    python("-m", "coverage", "report", "--skip-covered", "--format=total")
    for room, floor in COVERAGE_FLOOR.items():
        done = subprocess.run(
            [DEV / "python", "-m", "coverage", "report", "--format=total", f"--include=src/confide/{room}/*"],
            check=True,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        print(f"branch coverage of {room}: {done.stdout.strip()} %", flush=True)
        if int(done.stdout) < floor:
            raise SystemExit(f"coverage of {room} fell under {floor} %")


def oldest(options: Options) -> None:
    """All tests on the oldest supported Python."""
    interpreter = find_python("3.11")
    if platform.python_version().startswith("3.11."):
        raise SkippedError("the newest Python here is 3.11, which the suite `unit` has just used")
    if interpreter is None:
        raise SkippedError("found no Python 3.11 on this machine")
    python_path = make_environment(".venv-oldest", interpreter=interpreter, lock="dev.txt", projects=["-e", ".", "-e", "./sim"])
    sh(python_path, "-m", "pytest", "-q", *TOGETHER, *options.marker)


def evidence(_: Options) -> None:
    """Recorded vendor evidence: every case of a supported kind is judged right."""
    vectors = Path(os.environ.get("CONFIDE_VECTORS", ROOT.parent / "shared" / "vectors"))
    if not (vectors / "MANIFEST.json").is_file():
        raise SkippedError(f"no recorded evidence at {vectors} (CONFIDE_VECTORS names another place)")
    python("conformance/recorded.py", vectors)
    python("scripts/verification_page.py", "--check")


def oracles(options: Options) -> None:
    """Other people's verifiers: nothing that they refuse is accepted without a reason. Those that build slowly: `--deep`."""
    vectors = Path(_vectors())
    known = [vectors] if (vectors / "MANIFEST.json").is_file() else []
    depth = ["--flips", "200"] if options.deep else ["--flips", "15", "--referee", "dcap", "--referee", "go"]
    python("-m", "conformance.oracles.run", *known, *depth)


def conformance(_: Options) -> None:
    """Every SDK against the vectors."""
    python("conformance/run.py")


def wheel(_: Options) -> None:
    """Build the wheels, install them as a user would, run the main job's tests against them from outside the tree."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    python("-m", "build", "--no-isolation", "--wheel", "--outdir", "dist", ".")
    python("-m", "build", "--no-isolation", "--wheel", "--outdir", "dist", "sim")
    wheels = sorted(str(path) for path in (ROOT / "dist").glob("*.whl"))
    python_path = make_environment(".venv-wheel", interpreter=Path(sys.executable), lock="dev.txt", projects=wheels)
    outside = ROOT / ".cache" / "wheel-tests"
    shutil.rmtree(outside, ignore_errors=True)
    for folder in ("tests", "conformance", "vectors", "docs"):  # what the tests read beside themselves
        shutil.copytree(ROOT / folder, outside / folder)
    shutil.copy(ROOT / "pyproject.toml", outside)
    models = {"CONFIDE_MODEL_DIR": str(ROOT / ".cache" / "models"), "CONFIDE_VECTORS": _vectors()}
    sh(python_path, "-c", "import confide; assert '.venv-wheel' in confide.__file__, confide.__file__")
    sh(python_path, "-m", "pytest", "-q", *TOGETHER, "tests/scenarios", "tests/client", cwd=outside, **models)


def client(_: Options) -> None:
    """The base client alone: its size, and a verification without numpy, engine or web server."""
    wheels = sorted(str(path) for path in (ROOT / "dist").glob("confide-[0-9]*.whl"))
    if not wheels:
        raise SkippedError("no wheel: run the suite `wheel` first")
    python_path = make_environment(".venv-client", interpreter=Path(sys.executable), lock="client.txt", projects=wheels)
    packages = next((ROOT / ".venv-client" / "lib").glob("python3*")) / "site-packages"
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file() and "__pycache__" not in path.parts) / 1e6
    print(f"base client installed: {size:.1f} MB", flush=True)
    if size > BASE_CLIENT_LIMIT_MB:
        raise SystemExit(f"the base client grew to {size:.1f} MB; wanted at most {BASE_CLIENT_LIMIT_MB}")
    sh(python_path, "-c", "import confide, confide.client, confide.policy, confide.receipt, confide.seal")
    sh(ROOT / ".venv-client" / "bin" / "confide", "--help")


def demo(_: Options) -> None:
    """The demo, as a user runs it."""
    sh("scripts/setup.sh", "demo")
    sh(ROOT / ".venv" / "bin" / "python", "scripts/demo.py")


SUITES: dict[str, Callable[[Options], None]] = {
    suite.__name__: suite for suite in (static, sync, unit, evidence, oracles, conformance, oldest, wheel, client, demo)
}


def make_environment(name: str, *, interpreter: Path, lock: str, projects: list[str]) -> Path:
    """A fresh environment with hash-checked packages and then the given projects; returns its Python."""
    uv = [str(DEV / "uv"), "--quiet"]
    target = ROOT / name / "bin" / "python"
    sh(*uv, "venv", "--clear", "--no-python-downloads", "--python", interpreter, ROOT / name)
    sh(*uv, "pip", "install", "--python", target, "--no-deps", "--require-hashes", "-r", f"requirements/{lock}")
    sh(*uv, "pip", "install", "--python", target, "--no-deps", "--no-build-isolation", *projects)
    return target


def find_python(version: str) -> Path | None:
    """An interpreter of that minor version, on PATH or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = shutil.which(f"python{version}")
    for candidate in [*([Path(found)] if found else []), *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))]:
        if subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0:
            return candidate
    return None


def _vectors() -> str:
    return os.environ.get("CONFIDE_VECTORS", str(ROOT.parent / "shared" / "vectors"))


def run(name: str, options: Options) -> tuple[str, float]:
    """Run one suite; its outcome (`passed`, `failed` or `skipped`) and seconds."""
    print(f"\n=== {name}: {(SUITES[name].__doc__ or '').splitlines()[0]}", flush=True)
    start = time.monotonic()
    try:
        SUITES[name](options)
        outcome = "passed"
    except SkippedError as reason:
        print(f"SKIPPED {name}: {reason}", flush=True)
        outcome = "failed" if "vectors" in os.environ.get("CONFIDE_REQUIRE", "") and name == "evidence" else "skipped"
    except (subprocess.CalledProcessError, SystemExit) as failure:
        print(f"FAILED {name}: {failure}", flush=True)
        outcome = "failed"
    return outcome, time.monotonic() - start


def main() -> int:
    """Run the named suites, or all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *SUITES], metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--deep", action="store_true", help="include the tests marked `deep`")
    arguments = parser.parse_args()
    results = {name: run(name, Options(deep=arguments.deep)) for name in arguments.names or SUITES}
    print("\nsuite        outcome   seconds")
    for name, (outcome, seconds) in results.items():
        print(f"{name:<12} {outcome:<8} {seconds:8.1f}")
    outcomes = [outcome for outcome, _ in results.values()]
    print(f"suites: {outcomes.count('passed')} passed, {outcomes.count('failed')} failed, {outcomes.count('skipped')} skipped")
    return 1 if "failed" in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
