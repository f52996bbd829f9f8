"""Bounds of an engine. All of them are part of the node's measured configuration (DESIGN rule 3)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineLimits:
    """What the engine admits. A request beyond these is refused with a code before any worker sees it."""

    max_texts: int = 64  # in one request
    max_text_bytes: int = 32 << 10  # UTF-8; a text of 256 word pieces has about 1.5 KiB
    max_request_bytes: int = 512 << 10
    queue_jobs: int = 256
    queue_bytes: int = 8 << 20
    queue_seconds: float = 30.0  # waiting longer than this is `engine.timeout`
    batch_jobs: int = 8  # requests that one worker takes at once
    batch_tokens: int = 512  # tokens of one call of the core; measured: no gain beyond (bench/)
    batch_seconds: float = 60.0  # a worker that takes longer is ended
    load_seconds: float = 120.0
    max_answer_bytes: int = 4 << 20  # of one request
    worker_memory: int = 0  # bytes of address space of one worker; 0: no bound
    require_seccomp: bool = True  # refuse to start where system calls cannot be filtered

    @property
    def region_bytes(self) -> int:
        """Size of each of the two shared regions of a worker: a full batch, or one request of the largest kind."""
        return max(self.batch_jobs, 2) * max(self.max_request_bytes, self.max_answer_bytes) // 2 + (64 << 10)
