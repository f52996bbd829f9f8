"""Whether this CPU multiplies 8-bit integers exactly, as ONNX Runtime uses it.

Kernels without VNNI add pairs of products in 16 bits with saturation (Intel SDM, VPMADDUBSW): large values give another sum, and an
int8 package another answer. So a worker tries the largest values once before it takes such a package.
"""

import functools

import numpy as np

from confide.engine.runtime import open_session

OPERATOR = b"MatMulInteger"
# One MatMulInteger(a uint8 [m, k], b int8 [k, n]), opset 20, as `onnx` writes it (tests/engine/test_quantize.py makes it again).
GRAPH = bytes.fromhex(
    "08093a620a180a01610a0162120163220d4d61744d756c496e74656765721201745a150a016112100a0e0802120a0a0312016d0a0312016b"
    "5a150a016212100a0e0803120a0a0312016b0a0312016e62150a016312100a0e0806120a0a0312016d0a0312016e42040a001014"
)
SHAPES = ((1, 256, 32), (7, 384, 48))  # one row and several take kernels of their own


@functools.cache
def exact() -> bool:
    """Tried once a process; takes a millisecond."""
    session = open_session(GRAPH)
    for rows, inner, columns in SHAPES:
        a, b = np.full((rows, inner), 255, dtype=np.uint8), np.full((inner, columns), 127, dtype=np.int8)
        (found,) = session.run(None, {"a": a, "b": b})
        if not (found == 255 * 127 * inner).all():
            return False
    return True
