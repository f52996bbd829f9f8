"""Log proofs and batches of them (10-log.md, "Inclusion": LOG-6, LOG-7, LOG-10, LOG-11).

The steps: the receipt by itself (the caller's), the proof's members, the checkpoint, `index`, `size`, path. A batch is a log proof
for each of its indices; an index that it lacks is told where `index` is looked at, after the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.second.checkpoint import LOG, MAX_CHECKPOINT, VERSION, Checkpoint, parse_checkpoint, read_path
from conformance.second.dsse import KIB
from conformance.second.keyset import Keyset
from conformance.second.merkle import inclusion_holds, leaf_hash
from conformance.second.strict_json import Refused

MAX_PROOF = 32 * KIB
MAX_BATCH = 5 * KIB * KIB
MAX_PROOFS = 1024


@dataclass(frozen=True)
class Proofs:
    """One or many paths under one checkpoint, by index."""

    size: int
    checkpoint: bytes
    paths: dict[int, tuple[bytes, ...]]


def parse_proof(data: bytes) -> Proofs:
    """The members of LOG-6."""
    members = LOG.versioned(LOG.json(data, MAX_PROOF), VERSION)
    LOG.members(members, {"version", "index", "size", "path", "checkpoint"})
    paths = {LOG.integer(members["index"]): read_path(members["path"])}
    return Proofs(LOG.integer(members["size"]), LOG.base64(members["checkpoint"], MAX_CHECKPOINT), paths)


def parse_batch(data: bytes) -> Proofs:
    """LOG-10."""
    members = LOG.versioned(LOG.json(data, MAX_BATCH), VERSION)
    LOG.members(members, {"version", "size", "checkpoint", "proofs"})
    paths: dict[int, tuple[bytes, ...]] = {}
    last = -1
    for item in LOG.array(members["proofs"], 1, MAX_PROOFS):
        element = LOG.members(item, {"index", "path"})
        index = LOG.integer(element["index"])
        if index <= last:
            LOG.refuse(f"{index} after {last}")
        last = index
        paths[index] = read_path(element["path"])
    return Proofs(LOG.integer(members["size"]), LOG.base64(members["checkpoint"], MAX_CHECKPOINT), paths)


def check_included(envelope: bytes, log_index: int, proofs: Proofs, keyset: Keyset) -> Checkpoint:
    """The checkpoint that covers the receipt in `envelope`, which names `log_index`."""
    checkpoint = parse_checkpoint(proofs.checkpoint, keyset)
    if log_index not in proofs.paths:
        raise Refused("log.index", f"no proof for {log_index}")
    if proofs.size != checkpoint.size:
        raise Refused("log.index", f"a proof for {proofs.size} leaves under a checkpoint of {checkpoint.size}")
    if not inclusion_holds(
        leaf=leaf_hash(envelope), index=log_index, size=checkpoint.size, path=proofs.paths[log_index], root=checkpoint.root
    ):
        raise Refused("log.inclusion", f"{log_index} of {checkpoint.size}")
    return checkpoint
