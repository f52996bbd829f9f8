"""The server that people would write instead: FastAPI, onnxruntime, a tokenizer. Tuned as its own documentation says, and in clear.

    python -m bench.peer_fastapi PACKAGE [--processes N] [--threads N]       prints its URL when it is ready

Tuned: uvicorn with httptools and uvloop, no access log, one ONNX Runtime thread per session and no spinning, runs on a thread pool
as large as the cores it may use, no padding, vectors answered in base 64 as our own node is asked to. Same graph, same tokenizer.
"""

import argparse
import asyncio
import base64
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

from bench.raw import load, run_once


class Ask(BaseModel):
    """What is asked."""

    inputs: Annotated[list[str], Field(min_length=1, max_length=64)]


class Told(BaseModel):
    """What is answered."""

    outputs: list[str]


def create(package: Path, threads: int) -> FastAPI:
    """The application, its model loaded."""
    pipeline, pool = load(package), ThreadPoolExecutor(threads)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/embed")
    async def embed(ask: Ask) -> Told:
        loop = asyncio.get_running_loop()
        rows = [await loop.run_in_executor(pool, run_once, pipeline, text) for text in ask.inputs]
        return Told(outputs=[base64.b64encode(row).decode() for row in rows])

    return app


def main() -> None:
    """Serve until terminated; with several processes each has its own model and they share the socket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    others = [pid for _ in range(arguments.processes - 1) if (pid := os.fork())]
    app = create(arguments.package, arguments.threads)
    config = uvicorn.Config(app, http="httptools", loop="uvloop", log_level="warning", access_log=False)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    sys.stdout = sys.stderr
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        for pid in others:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
