"""What a worker can and cannot do, tried from inside one."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.engine.helpers import with_engine

import confide
from confide.codes import Code
from confide.engine import Engine, EngineLimits, Package, seccomp
from confide.engine import process as process_module
from confide.engine.lane import Lane
from confide.errors import EngineError

ROOT = Path(confide.__file__).resolve().parent.parent
PROLOGUE = """
import ctypes, errno, json, mmap, os, socket, sys, threading
sys.path.insert(0, sys.argv[1])
from confide.engine import sandbox
achieved = sandbox.enter(memory=0)
from confide.engine import serve, warmup
warmup.touch()
ready, pipe = threading.Event(), os.dup(1)
achieved += sandbox.seal()
def tried(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    except RuntimeError as error:
        return "RuntimeError"
    return "allowed"
"""


def inside(body: str) -> dict[str, str]:
    """Run code inside a sandboxed process; it fills the dictionary `found`."""
    program = PROLOGUE + "found = {}\n" + textwrap.dedent(body) + "\nos.write(pipe, json.dumps(found).encode())\nos._exit(0)\n"
    done = subprocess.run([sys.executable, "-I", "-c", program, ROOT], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    result: dict[str, str] = json.loads(done.stdout)
    return result


def test_the_sandbox_takes_away_files_network_processes_and_executable_memory() -> None:
    found = inside("""
        found["open"] = tried(lambda: open("/etc/hostname"))
        found["write"] = tried(lambda: open("/tmp/x", "w"))
        found["list"] = tried(lambda: os.listdir("/"))
        found["stat"] = tried(lambda: os.stat("/etc/passwd"))
        found["socket"] = tried(lambda: socket.socket())
        found["socketpair"] = tried(lambda: socket.socketpair())
        found["exec"] = tried(lambda: os.execv("/bin/true", ["true"]))
        found["fork"] = tried(lambda: os.fork())
        found["kill"] = tried(lambda: os.kill(1, 0))
        found["memfd"] = tried(lambda: os.memfd_create("x"))
        found["thread"] = tried(lambda: threading.Thread(target=print).start())
        found["exec_memory"] = tried(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
        found["memory"] = tried(lambda: mmap.mmap(-1, 4096))
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number):
            if libc.syscall(number, 0, 0, 0, 0) == -1:
                raise OSError(ctypes.get_errno(), "")
        x86 = os.uname().machine == "x86_64"
        found["ptrace"] = tried(lambda: call(101 if x86 else 117))
        found["process_vm_readv"] = tried(lambda: call(310 if x86 else 270))
        found["io_uring_setup"] = tried(lambda: call(425))
        found["bpf"] = tried(lambda: call(321 if x86 else 280))
        found["prctl"] = tried(lambda: call(157 if x86 else 167))
    """)
    assert found.pop("memory") == "allowed"
    assert found.pop("thread") == "RuntimeError"
    assert set(found.values()) == {"EPERM"}, found


def test_the_sandbox_reports_what_it_achieved() -> None:
    found = inside('found["achieved"] = ",".join(achieved)')
    assert {"no-new-privileges", "not-dumpable", "dies-with-engine", "no-file-writes", "seccomp"} <= set(
        found["achieved"].split(",")
    )


def test_a_memory_bound_holds() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from confide.engine import sandbox\n"
        "sandbox.enter(memory=300 << 20)\n"
        "try: bytearray(400 << 20)\n"
        "except MemoryError: print('bounded')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program, ROOT], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "bounded"


def test_workers_have_no_environment_no_streams_and_three_descriptors(tiny: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIDE_SECRET", "not for workers")

    async def body(engine: Engine, _model: object) -> None:
        (pid,) = engine.worker_pids
        _look_at(Path(f"/proc/{pid}"))

    with_engine(body, tiny)


def _look_at(process: Path) -> None:
    """The kernel's view of a worker."""
    names = {entry.split(b"=")[0].decode() for entry in (process / "environ").read_bytes().split(b"\x00") if entry}
    assert names == set(process_module._ENVIRONMENT)
    assert "ORT_DISABLE_TELEMETRY" in names
    targets = sorted(str(descriptor.readlink()) for descriptor in (process / "fd").iterdir())
    kinds = [target.partition(":")[0].partition(" ")[0] for target in targets]
    assert kinds == ["/dev/null"] * 3 + ["/memfd"] * 2 + ["socket"]
    assert len(list((process / "task").iterdir())) == 1  # no telemetry, no thread pools
    assert (process / "cwd").readlink() == Path("/")
    status = (process / "status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


def test_the_engine_says_how_its_workers_are_confined(tiny: Package) -> None:
    async def body(engine: Engine, _model: object) -> None:
        assert engine.isolation == "worker-process"
        assert "seccomp" in engine.isolation_detail
        assert "no-new-privileges" in engine.isolation_detail

    with_engine(body, tiny)


def test_an_engine_refuses_to_start_without_the_filter_unless_its_limits_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Lane.started

    async def unfiltered(lane: Lane) -> None:
        await started(lane)
        lane.isolation = tuple(name for name in lane.isolation if name != "seccomp")

    monkeypatch.setattr(Lane, "started", unfiltered)

    async def start(limits: EngineLimits) -> None:
        engine = Engine(workers=1, limits=limits)
        await engine.start()
        await engine.stop()

    with pytest.raises(EngineError) as caught:
        asyncio.run(start(EngineLimits()))
    assert caught.value.code is Code.ENGINE_ISOLATION
    asyncio.run(start(EngineLimits(require_seccomp=False)))


def test_workers_end_with_the_process_that_started_them(tiny: Package) -> None:
    program = (
        "import asyncio, os, sys; from confide.engine import Engine\n"
        "async def main():\n"
        "    engine = Engine(workers=2); await engine.start()\n"
        "    print(*engine.worker_pids, flush=True); os._exit(1)\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    pids = [int(text) for text in done.stdout.split()]
    assert len(pids) == 2

    for _ in range(500):
        if not any(_alive(pid) for pid in pids):
            return
        time.sleep(0.02)
    pytest.fail("workers outlived the process that started them")


def _alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody reaps has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_filter_program_kills_other_architectures_and_allows_only_what_is_listed() -> None:
    """Interpret the program for single calls, as the kernel would."""
    code = seccomp.program(0xC000003E, allowed=[0, 1], mapping=[9])
    lines = [code[i : i + 8] for i in range(0, len(code), 8)]

    def verdict(arch: int, number: int, third: int = 0) -> int:
        words = {0: number, 4: arch, 32: third}
        at, accumulator = 0, 0
        while True:
            operation, yes, no, value = int.from_bytes(lines[at][:2], sys.byteorder), lines[at][2], lines[at][3], lines[at][4:]
            k = int.from_bytes(value, sys.byteorder)
            if operation == 0x06:
                return k
            if operation == 0x20:
                accumulator, at = words[k], at + 1
            else:
                hit = accumulator == k if operation == 0x15 else bool(accumulator & k)
                at += 1 + (yes if hit else no)

    allow, refuse, kill = 0x7FFF0000, 0x00050001, 0x80000000
    assert [verdict(0xC000003E, n) for n in (0, 1, 2, 9, 59, 0x40000000)] == [allow, allow, refuse, allow, refuse, refuse]
    assert verdict(0xC000003E, 9, third=4) == verdict(0xC000003E, 9, third=7) == refuse
    assert verdict(0xC00000B7, 0) == kill
