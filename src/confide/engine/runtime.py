"""ONNX Runtime, silenced: Linux builds (1.32, for one) keep an event database in the home folder and a sender thread.

Import it from here only. The variable must be set before the library loads; workers have it in their environment as well.
"""

import os
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort  # type: ignore[import-untyped]  # after the variable


def session_options() -> Any:
    """One thread, no spinning, sequential: N workers on N cores beat one process with N threads (bench/)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # fatal only: its messages can quote shapes of content
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def open_session(graph: bytes) -> Any:
    """A session on the CPU for a serialised ONNX model."""
    session = ort.InferenceSession(graph, session_options(), providers=["CPUExecutionProvider"])
    session._model_bytes = None  # kept for changing providers later: as much memory again as the graph
    return session
