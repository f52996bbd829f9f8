"""The node's settings, their sources, and the one digest over what is in effect.

Sources, later ones win: defaults, a TOML file, environment variables, flags. The result is frozen before any key exists, and
everything in it that decides what the node answers, or to whom, is part of the **effective configuration**, whose digest stands in
the keyset (DESIGN sections 2 and 4). *Placement* is left out of the digest: addresses, paths and the number of workers belong to
the machine, which is the operator's anyway, and the models at those paths are in it by alias and package digest.

Left to others: reading flags (`cli`), opening packages (`engine`), what the digest must be (`policy`).
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from confide.codes import Code
from confide.engine.limits import EngineLimits
from confide.formats import strictjson, toml
from confide.server import NodeError

ENV_PREFIX = "CONFIDE_"
MAX_CONFIG_FILE = 1 << 20  # bytes
MAX_MODELS = 64
MAX_OWNERS = 64
RESERVED_OWNER = "operator"  # owns the start-up models
ALIAS = r"^[a-z0-9][a-z0-9._-]{0,63}\Z"  # stands in URLs and receipts
DIGEST = r"^[0-9a-f]{64}\Z"
SOURCE = r"^(vendors|https?://[!-~]{1,512})?\Z"
KEY = r"^(|ed25519:[0-9a-f]{64}|ml-dsa-65:[0-9a-f]{3904})\Z"
_DOMAIN = "confide/v1/config"

Count = Annotated[int, Meta(ge=1, le=1 << 20)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 28)]
Milliseconds = Annotated[int, Meta(ge=1, le=3_600_000)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Large = Annotated[int, Meta(ge=1024, le=1 << 48)]
LongSeconds = Annotated[int, Meta(ge=1, le=604_800)]
_ENGINE = EngineLimits()


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one stranger may cost the node. All of it is measured."""

    request_bytes: Annotated[Bytes, Meta(description="Largest sealed request body")] = 1 << 20
    header_bytes: Annotated[Bytes, Meta(description="Largest request line and headers together, outside")] = 16 << 10
    connections: Annotated[Count, Meta(description="Open connections; more are answered 503")] = 1024
    in_flight: Annotated[Count, Meta(description="Sealed requests worked on at a time; more are answered 429")] = 64
    streams: Annotated[Count, Meta(description="Chunked exchanges worked on at a time; more are answered 429")] = 64
    header_ms: Annotated[Milliseconds, Meta(description="Time to send the request's headers")] = 10_000
    read_ms: Annotated[Milliseconds, Meta(description="Time to send the request's body")] = 20_000
    chunk_ms: Annotated[Milliseconds, Meta(description="Longest wait for more of a chunked request")] = 20_000
    write_ms: Annotated[Milliseconds, Meta(description="Time to take the answer")] = 30_000
    idle_ms: Annotated[Milliseconds, Meta(description="Time a connection may wait for its next request")] = 15_000
    run_ms: Annotated[Milliseconds, Meta(description="Time one request may take inside, queue and model together")] = 100_000
    stream_ms: Annotated[Milliseconds, Meta(description="Time a streamed exchange may take from its first byte to its last")] = (
        1_800_000
    )
    drain_ms: Annotated[Milliseconds, Meta(description="Time requests get to finish when the node stops")] = 20_000
    replay_entries: Annotated[
        int, Meta(ge=1, le=1 << 24, description="Requests remembered per key; new keys come before a store is full")
    ] = 1_000_000
    nonces_waiting: Annotated[Count, Meta(description="Clients waiting for evidence with their nonce; more are answered 503")] = (
        8192
    )
    gather_ms: Annotated[Milliseconds, Meta(description="How long nonces are gathered into one quote")] = 100
    quote_interval_ms: Annotated[Milliseconds, Meta(description="Shortest time between two quotes")] = 200
    quote_ms: Annotated[Milliseconds, Meta(description="Longest wait for the TEE device")] = 10_000


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine's bounds (`engine.limits`), with their ranges. All of it is measured."""

    max_texts: Annotated[Count, Meta(description="Texts in one request")] = _ENGINE.max_texts
    max_text_bytes: Annotated[Bytes, Meta(description="UTF-8 bytes of one text")] = _ENGINE.max_text_bytes
    max_request_bytes: Annotated[Bytes, Meta(description="UTF-8 bytes of all texts of a request")] = _ENGINE.max_request_bytes
    queue_jobs: Annotated[Count, Meta(description="Requests waiting for a worker; more are answered 429")] = _ENGINE.queue_jobs
    queue_bytes: Annotated[Bytes, Meta(description="Bytes waiting for a worker; more are answered 429")] = _ENGINE.queue_bytes
    queue_seconds: Annotated[Seconds, Meta(description="Longest wait for a worker")] = _ENGINE.queue_seconds
    batch_jobs: Annotated[Count, Meta(description="Requests a worker takes at once")] = _ENGINE.batch_jobs
    batch_tokens: Annotated[Count, Meta(description="Tokens in one call of the model")] = _ENGINE.batch_tokens
    batch_seconds: Annotated[Seconds, Meta(description="A worker that takes longer is ended")] = _ENGINE.batch_seconds
    load_seconds: Annotated[Seconds, Meta(description="Time to load a package")] = _ENGINE.load_seconds
    max_answer_bytes: Annotated[Bytes, Meta(description="Largest result of one request")] = _ENGINE.max_answer_bytes
    worker_memory: Annotated[int, Meta(ge=0, description="Address space of a worker in bytes; 0 for no bound")] = (
        _ENGINE.worker_memory
    )
    require_seccomp: Annotated[
        bool, Meta(description="Refuse to start where the kernel cannot filter the workers' system calls")
    ] = _ENGINE.require_seccomp

    def limits(self) -> EngineLimits:
        """As the engine takes them."""
        return EngineLimits(**msgspec.structs.asdict(self))


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What owners may put on the node, each and together. All of it is measured."""

    package_bytes: Annotated[int, Meta(ge=1024, le=(1 << 32) - 1, description="Largest package, as a `.confide` file")] = 3 << 30
    staged_bytes: Annotated[Large, Meta(description="Bytes of uploads on their way, all owners together")] = 16 << 30
    owner_staged_bytes: Annotated[Large, Meta(description="The same of one owner")] = 8 << 30
    uploads: Annotated[Count, Meta(description="Uploads on their way, all owners together")] = 8
    owner_uploads: Annotated[Count, Meta(description="The same of one owner")] = 2
    owner_packages: Annotated[Count, Meta(description="Packages that an owner may have loaded")] = 8
    owner_bytes: Annotated[Large, Meta(description="Bytes of packages that an owner may have loaded")] = 8 << 30
    owner_aliases: Annotated[Count, Meta(description="Aliases that an owner may have")] = 32
    versions: Annotated[Count, Meta(description="Versions of an alias that are remembered")] = 16
    idle_seconds: Annotated[LongSeconds, Meta(description="An upload of which nothing comes for so long is dropped")] = 600
    upload_seconds: Annotated[LongSeconds, Meta(description="An upload that takes longer is dropped")] = 86_400


class Owner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One package owner: SHA-256 of its token. `confide owner new` makes both."""

    token_sha256: Annotated[str, Meta(pattern=DIGEST)]


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One start-up model: where its package lies, and optionally the digest it must have."""

    path: str
    digest: Annotated[str, Meta(pattern=DIGEST)] | None = None


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one node, complete and frozen. Build it with `load_config`."""

    host: Annotated[str, Meta(min_length=1, max_length=255, description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8711
    workers: Annotated[int, Meta(ge=0, le=1024, description="Engine processes; 0 means one per core")] = 0
    log_dir: Annotated[
        str, Meta(max_length=4096, description="Folder for the receipt log, a folder per boot; empty for a log in memory only")
    ] = ""
    upload_dir: Annotated[
        str, Meta(max_length=4096, description="Folder for uploads on their way, sealed; empty for taking none")
    ] = ""
    owner_workers: Annotated[int, Meta(ge=1, le=256, description="Engine processes for each owner who has a package loaded")] = 1
    tee: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}\Z", description="`auto`, a kind of TEE, or `simulated`")] = "auto"
    gpus: Annotated[
        str,
        Meta(pattern=r"^(none|nvidia)\Z", description="GPUs whose evidence stands beside the TEE's: `none`, or all of `nvidia`"),
    ] = "none"
    vtpm: Annotated[bool, Meta(description="Whether a quote of the cloud's TPM stands beside that of a SEV-SNP guest or a TD")] = (
        False
    )
    active_seconds: Annotated[int, Meta(ge=1, le=604_800, description="How long content keys are served before others follow")] = (
        3600
    )
    stale_seconds: Annotated[int, Meta(ge=1, le=604_800, description="How long they go on opening what was sealed to them")] = 3600
    authority_key: Annotated[
        str, Meta(pattern=KEY, description="The owner's key, `ed25519:<hex>`, whose admissions the node shows; empty for none")
    ] = ""
    collateral_dir: Annotated[
        str,
        Meta(max_length=4096, description="Folder with vendor certificates and lists that the host does not give; empty for none"),
    ] = ""
    collateral_source: Annotated[
        str, Meta(pattern=SOURCE, description="Who is asked for collateral: `vendors`, or the address of a cache; empty for nobody")
    ] = ""
    document_seconds: Annotated[int, Meta(ge=1, le=86_400, description="Largest age of the evidence served without a nonce")] = 3600
    pad_responses: Annotated[bool, Meta(description="Pad answers to length buckets")] = True
    pad_streams: Annotated[bool, Meta(description="Pad the lines of a streamed answer to length buckets")] = True
    coalesce_ms: Annotated[
        int, Meta(ge=0, le=10_000, description="Pieces of a streamed answer that come within this time leave together")
    ] = 20
    access_log: Annotated[bool, Meta(description="Log one line of sizes and durations per sealed request")] = False
    limits: Limits = Limits()
    engine: EngineSettings = EngineSettings()
    uploads: UploadLimits = UploadLimits()
    owners: dict[Annotated[str, Meta(pattern=ALIAS)], Owner] = {}
    models: dict[Annotated[str, Meta(pattern=ALIAS)], Model] = {}

    def effective(self, models: Mapping[str, bytes]) -> bytes:
        """The canonical bytes of the effective configuration: sorted members, models by package digest."""
        value = msgspec.to_builtins(self)
        for name in PLACEMENT:
            del value[name]
        value["models"] = {alias: digest.hex() for alias, digest in models.items()}
        return strictjson.dumps(_sorted({"format": _DOMAIN, "settings": value}))

    def digest(self, models: Mapping[str, bytes]) -> bytes:
        """SHA-256 of the effective configuration: the keyset's `config_digest`."""
        return hashlib.sha256(self.effective(models)).digest()


PLACEMENT = ("host", "port", "workers", "log_dir", "collateral_dir", "collateral_source", "upload_dir", "owner_workers")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One row of docs/reference/configuration.md."""

    name: str
    variable: str
    default: str
    measured: bool
    description: str
    kind: type


def settings() -> Iterator[Setting]:
    """Every scalar setting, in the order of the documentation."""
    yield from _settings_of(NodeConfig, "")
    yield from _settings_of(Limits, "limits.")
    yield from _settings_of(EngineSettings, "engine.")
    yield from _settings_of(UploadLimits, "uploads.")


def load_config(
    *, file: Path | None = None, environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> NodeConfig:
    """Merge the sources and freeze the result.

    Args:
        file: a TOML file with the members of `NodeConfig`.
        environ: variables named `CONFIDE_` and the setting's name in capitals, dots as underscores; `CONFIDE_MODELS` holds
            `alias=path` pairs separated by commas.
        flags: dotted setting names to values, strongest; None values are ignored. `models` maps aliases to paths or members.

    Raises:
        NodeError: `node.config`, naming the setting.
    """
    merged: dict[str, Any] = {} if file is None else _read(file)
    for name, value in (*_from_environ(environ), *(flags or {}).items()):
        if value is not None:
            _set(merged, name, value)
    merged["models"] = _models(merged.get("models", {}))
    return _convert(merged)


def _convert(merged: dict[str, Any]) -> NodeConfig:
    try:
        config = msgspec.convert(merged, NodeConfig, strict=True)
    except msgspec.ValidationError as error:
        raise NodeError(
            Code.NODE_CONFIG, found=str(error)[:200], wanted="the settings of docs/reference/configuration.md"
        ) from None
    if len(config.models) > MAX_MODELS:
        raise NodeError(Code.NODE_CONFIG, found=f"{len(config.models)} models", wanted=f"at most {MAX_MODELS}")
    if len(config.owners) > MAX_OWNERS or RESERVED_OWNER in config.owners:
        wanted = f"at most {MAX_OWNERS}, none of them named {RESERVED_OWNER}"
        raise NodeError(Code.NODE_CONFIG, found=f"{len(config.owners)} owners", wanted=wanted)
    return config


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_CONFIG_FILE + 1)
    except OSError as error:
        raise NodeError(Code.NODE_CONFIG, found=f"{file}: {error.strerror}", wanted="a readable TOML file") from None
    if len(data) > MAX_CONFIG_FILE:
        raise NodeError(Code.NODE_CONFIG, found=f"{file}: over {MAX_CONFIG_FILE} bytes", wanted="a TOML file of settings")
    try:
        return toml.loads(data, limit=MAX_CONFIG_FILE)
    except toml.TomlError as error:
        raise NodeError(Code.NODE_CONFIG, found=f"{file}: {error.found}", wanted="TOML") from None


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    known = {setting.variable: setting for setting in settings()}
    tables = tuple(f"{ENV_PREFIX}{table}_" for table in ("LIMITS", "ENGINE", "UPLOADS"))
    for variable in environ:
        if variable.startswith(tables) and variable not in known:
            raise NodeError(Code.NODE_CONFIG, found=variable, wanted="a setting of docs/reference/configuration.md")
    for variable, setting in known.items():
        if variable in environ:
            yield setting.name, _parse(environ[variable], setting)
    if "CONFIDE_MODELS" in environ:
        yield "models", dict(_pair(item) for item in environ["CONFIDE_MODELS"].split(",") if item.strip())


def _parse(text: str, setting: Setting) -> Any:
    try:
        return msgspec.convert(text, setting.kind, strict=False)  # text to integer or boolean; ranges are checked with the rest
    except msgspec.ValidationError:
        raise NodeError(Code.NODE_CONFIG, found=f"{setting.variable}={text[:40]!r}", wanted=setting.kind.__name__) from None


def _pair(item: str) -> tuple[str, str]:
    alias, equals, path = item.strip().partition("=")
    if not (alias and equals and path):
        raise NodeError(Code.NODE_CONFIG, found=f"CONFIDE_MODELS has {item[:80]!r}", wanted="alias=path")
    return alias, path


def _set(merged: dict[str, Any], name: str, value: Any) -> None:
    section, dot, leaf = name.rpartition(".")
    target = merged.setdefault(section, {}) if dot else merged
    if not isinstance(target, dict):
        raise NodeError(Code.NODE_CONFIG, found=f"{section} is no table", wanted="a table of settings")
    target[leaf] = value


def _models(value: Any) -> Any:
    """A bare path stands for `{path = ...}`."""
    if not isinstance(value, Mapping):
        return value
    return {alias: {"path": str(item)} if isinstance(item, str | Path) else item for alias, item in value.items()}


def _settings_of(struct: type[msgspec.Struct], prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            continue  # tables: limits, models
        kind, *metas = get_args(hint)
        yield Setting(
            name=prefix + field.name,
            variable=ENV_PREFIX + (prefix + field.name).upper().replace(".", "_"),
            default=_text(field.default),
            measured=field.name not in PLACEMENT or bool(prefix),
            description=next(meta.description for meta in metas if meta.description),
            kind=kind,
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
