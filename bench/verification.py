"""CPU of a client's verification: everything anew, and with certificates of the vendor remembered from an earlier verification."""

import sys
import time
from datetime import UTC, datetime

import confide_sim
from bench.cpu import Figure
from bench.processes import NodeProcess, policy_for
from confide.client import judge
from confide.policy.verify import verify

SAMPLES = 200


def figures(running: NodeProcess) -> dict[str, Figure]:
    """`verify_cold_ms_snp` and `verify_cached_us_snp`: the whole of `policy.verify`, document and policy included."""
    policy = policy_for(running.url)
    obtained = judge.get(running.url, offline=False, at=None, timeout=10)
    now, roots = datetime.now(UTC), confide_sim.roots()
    nonce = obtained.nonce or b""
    cold: list[float] = []
    cached: list[float] = []
    for _ in range(SAMPLES):
        _forget()
        for samples in (cold, cached):
            start = time.process_time_ns()
            verify(obtained.document, policy, now=now, nonce=nonce, roots=roots)
            samples.append((time.process_time_ns() - start) / 1e3)
    return {
        "verify_cold_ms_snp": Figure.of([us / 1e3 for us in cold], "ms"),
        "verify_cached_us_snp": Figure.of(cached, "us"),
    }


def _forget() -> None:
    """Clear every memo of the verifier, so that the next call starts as a fresh process would."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("confide.attest", "confide.policy")):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
