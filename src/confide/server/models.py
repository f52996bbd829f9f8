"""The start-up models: aliases are looked up here, once per request; everything after that names the digest.

Left to others: packages and running them (`engine`), aliases that change while the node runs.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from confide.codes import Code
from confide.engine.results import LoadedModel
from confide.receipt.model import ModelRef
from confide.server import NodeError


@dataclass(frozen=True, slots=True)
class Served:
    """One model under its alias."""

    alias: str
    digest: bytes
    digest_hex: str
    task: str
    dimension: int
    labels: tuple[str, ...]
    max_tokens: int
    ref: ModelRef = field(repr=False)  # what receipts say


def served(alias: str, model: LoadedModel) -> Served:
    """A loaded package under an alias."""
    return Served(
        alias=alias,
        digest=model.digest,
        digest_hex=model.digest.hex(),
        task=model.task.value,
        dimension=model.dimension,
        labels=model.labels,
        max_tokens=model.max_tokens,
        ref=ModelRef(alias, model.digest, model.parts),
    )


class Models:
    """Aliases to models, fixed for this boot as the keyset says."""

    def __init__(self, models: Iterable[Served]) -> None:
        self._by_alias = {model.alias: model for model in models}

    def __iter__(self) -> Iterator[Served]:
        return iter(self._by_alias.values())

    def resolve(self, alias: str, *, required: bytes | None) -> Served:
        """The model of an alias, and of no other digest than the required one.

        Raises:
            NodeError: `node.unknown_model`, `node.model_digest`.
        """
        model = self._by_alias.get(alias)
        if model is None:
            known = ", ".join(self._by_alias) or "none"
            raise NodeError(Code.NODE_UNKNOWN_MODEL, found=repr(alias[:64]), wanted=f"one of {known}")
        if required is not None and not hmac.compare_digest(model.digest_hex.encode(), required):
            raise NodeError(Code.NODE_MODEL_DIGEST, found=model.digest_hex, wanted=required[:64].decode("ascii", "replace"))
        return model
