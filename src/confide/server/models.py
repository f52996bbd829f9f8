"""Which package an alias stands for, and who may use it. Looked up once per request; everything after that names the digest.

    start-up aliases    the keyset names them: fixed for this boot, owned by `operator`, for everyone
    owners' aliases     moved by their owner, one step of the event loop at a time; each move is a version
    packages            loaded, by owner and digest; for their owner only, unless uploaded as `public`

A name belongs to the first owner who uses it. To whoever may not use it, a model is not there: the answer is as for an unknown one.
Left to others: loading and running packages (`engine`), how they come here (`server.uploads`).
"""

import hmac
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from confide.codes import Code
from confide.engine.pool import OPERATOR
from confide.engine.results import LoadedModel
from confide.receipt.model import ModelRef
from confide.server import NodeError
from confide.server.config import ALIAS

DEFAULT_VERSIONS = 16
_ALIAS = re.compile(ALIAS)


class Visibility(StrEnum):
    """Who may use a package."""

    OWNER = "owner"
    PUBLIC = "public"


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
    owner: str = OPERATOR  # whose workers run it
    visibility: Visibility = Visibility.PUBLIC
    version: int = 1
    since: datetime | None = None  # None: since the node started

    def is_for(self, reader: str | None) -> bool:
        """Whether `reader`, an owner or a stranger, may use it."""
        return self.visibility is Visibility.PUBLIC or self.owner == reader


@dataclass(slots=True)
class Held:
    """A package that is loaded for an owner."""

    owner: str
    model: LoadedModel
    visibility: Visibility
    size: int


@dataclass(slots=True)
class _Alias:
    """A name: what it stands for now, and what it stood for."""

    current: Served
    fixed: bool
    versions: deque[Served]


def served(
    alias: str,
    model: LoadedModel,
    *,
    owner: str = OPERATOR,
    visibility: Visibility = Visibility.PUBLIC,
    version: int = 1,
    since: datetime | None = None,
) -> Served:
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
        owner=owner,
        visibility=visibility,
        version=version,
        since=since,
    )


class Models:
    """Aliases and packages of a node. Nothing here waits: a request sees all of a change or nothing of it."""

    def __init__(self, models: Iterable[Served], *, versions: int = DEFAULT_VERSIONS, aliases: int = 0) -> None:
        self._keep, self._most = versions, aliases
        self._aliases = {model.alias: _Alias(model, fixed=True, versions=deque([model])) for model in models}
        self._held: dict[tuple[str, bytes], Held] = {}

    def __iter__(self) -> Iterator[Served]:
        return (alias.current for alias in self._aliases.values())

    def visible(self, reader: str | None) -> Iterator[Served]:
        """What `reader` may use."""
        return (model for model in self if model.is_for(reader))

    def resolve(self, alias: str, *, required: bytes | None, reader: str | None = None) -> Served:
        """The model of an alias, if `reader` may use it, and of no other digest than the required one.

        Raises:
            NodeError: `node.unknown_model`, `node.model_digest`.
        """
        entry = self._aliases.get(alias)
        if entry is None or not entry.current.is_for(reader):
            known = ", ".join(model.alias for model in self.visible(reader)) or "none"
            raise NodeError(Code.NODE_UNKNOWN_MODEL, found=repr(alias[:64]), wanted=f"one of {known}")
        model = entry.current
        if required is not None and not hmac.compare_digest(model.digest_hex.encode(), required):
            raise NodeError(Code.NODE_MODEL_DIGEST, found=model.digest_hex, wanted=required[:64].decode("ascii", "replace"))
        return model

    def held_by(self, owner: str) -> list[Held]:
        """An owner's packages."""
        return [held for held in self._held.values() if held.owner == owner]

    def held(self, owner: str, digest: bytes) -> Held:
        """One of them; `owner.package` if there is none of this digest."""
        held = self._held.get((owner, digest))
        if held is None:
            raise NodeError(Code.OWNER_PACKAGE, found=digest.hex()[:64], wanted="the digest of one of the owner's packages")
        return held

    def has(self, owner: str, digest: bytes) -> bool:
        """Whether the owner has this package."""
        return (owner, digest) in self._held

    def require_free(self, alias: str, *, owner: str) -> None:
        """Raise unless the owner may point this alias somewhere: `alias.name`, `alias.taken`, `owner.quota`."""
        if not _ALIAS.match(alias):
            raise NodeError(Code.ALIAS_NAME, found=f"{len(alias)} characters", wanted="1 to 64 of a-z 0-9 . _ -")
        entry = self._aliases.get(alias)
        if entry is not None and (entry.fixed or entry.current.owner != owner):
            raise NodeError(Code.ALIAS_TAKEN, found=alias, wanted="another name")
        mine = sum(not entry.fixed and entry.current.owner == owner for entry in self._aliases.values())
        if entry is None and mine >= self._most:
            raise NodeError(Code.OWNER_QUOTA, found=f"{mine} aliases", wanted=f"at most {self._most}")

    def publish(self, held: Held, alias: str, *, now: datetime) -> Served:
        """A package that has been loaded becomes visible, and the alias its name, in one step. Raises as `require_free`."""
        self.require_free(alias, owner=held.owner)
        self._held[held.owner, held.model.digest] = held
        for entry in self._aliases.values():  # those that stand on it already follow its visibility
            if entry.current.owner == held.owner and entry.current.digest == held.model.digest and not entry.fixed:
                entry.current = entry.versions[-1] = replace(entry.current, visibility=held.visibility)
        return self.point(alias, held.model.digest, owner=held.owner, now=now)

    def point(self, alias: str, digest: bytes, *, owner: str, now: datetime) -> Served:
        """Move an alias to one of the owner's packages: a new version, unless it stands there already.

        Raises:
            NodeError: `owner.package`, and as `require_free`.
        """
        self.require_free(alias, owner=owner)
        held, entry = self.held(owner, digest), self._aliases.get(alias)
        if entry is not None and entry.current.digest == digest:
            return entry.current
        version = 1 if entry is None else entry.current.version + 1
        model = served(alias, held.model, owner=owner, visibility=held.visibility, version=version, since=now)
        if entry is None:
            self._aliases[alias] = _Alias(model, fixed=False, versions=deque([model], maxlen=self._keep))
        else:
            entry.versions.append(model)
            entry.current = model
        return model

    def versions(self, alias: str, *, reader: str | None) -> list[Served]:
        """What an alias has stood for, oldest first, as far as it is kept. For its owner; `alias.unknown` for others."""
        entry = self._aliases.get(alias)
        if entry is None or (entry.current.owner != reader and not entry.fixed):
            raise NodeError(Code.ALIAS_UNKNOWN, found=repr(alias[:64]), wanted="one of the owner's aliases")
        return list(entry.versions)

    def remove(self, alias: str, *, owner: str) -> None:
        """Forget an alias; `alias.unknown`, or `alias.taken` for one of the keyset's."""
        entry = self._aliases.get(alias)
        if entry is not None and entry.fixed:
            raise NodeError(Code.ALIAS_TAKEN, found=alias, wanted="an alias that the keyset does not name")
        if entry is None or entry.current.owner != owner:
            raise NodeError(Code.ALIAS_UNKNOWN, found=repr(alias[:64]), wanted="one of the owner's aliases")
        del self._aliases[alias]

    def drop(self, owner: str, digest: bytes) -> tuple[str, ...]:
        """Forget a package, and the aliases that stand on it, which are returned; `owner.package` if it is not there."""
        self.held(owner, digest)
        del self._held[owner, digest]
        gone = [
            name
            for name, entry in self._aliases.items()
            if not entry.fixed and entry.current.owner == owner and entry.current.digest == digest
        ]
        for name in gone:
            del self._aliases[name]
        return tuple(gone)
