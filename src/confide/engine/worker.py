"""The start of a worker process: confinement first, then the loop in `serve.py`.

    sandbox.enter -> imports -> warm-up -> sandbox.seal -> HELLO -> (LOAD | RUN)* -> the socket closes -> end

It holds no keys and no names of clients; its arguments are descriptor numbers and bounds.
"""

import gc
import json
import mmap
import os
import socket

from confide.engine import sandbox, wire


def main(arguments: list[str]) -> None:
    """`<socket> <request region> <response region> <region bytes> <batch tokens> <memory>`, all decimal."""
    control, requests, responses, region, batch_tokens, memory = (int(text) for text in arguments)
    achieved = sandbox.enter(memory=memory)
    from confide.engine import serve, warmup  # noqa: PLC0415 - native libraries load after the namespaces, before the filter

    warmup.touch()
    regions = mmap.mmap(requests, region), mmap.mmap(responses, region)
    worker = serve.Worker(socket.socket(fileno=control), *regions, batch_tokens)
    os.close(requests)
    os.close(responses)
    achieved += sandbox.seal()
    worker.send(wire.pack_head(wire.Kind.HELLO, os.getpid(), json.dumps(achieved).encode()))
    gc.collect()
    gc.freeze()
    worker.serve()
