"""The Python SDK: verify, seal, send, open, check the receipt (DESIGN sections 5, 6 and 13). Sync.

Left to others: verification itself (`attest`, `policy`), cryptography (`seal`), receipts (`receipt`). No code here decides that
evidence or a receipt is good; it only refuses to go on without those who do.
"""

from confide.client.answer import Answer, Label, Record, Timing, similarity
from confide.client.core import ModelInfo
from confide.client.node import Node, connect

__all__ = ["Answer", "Label", "ModelInfo", "Node", "Record", "Timing", "connect", "similarity"]
