"""Settings: their sources, their order, what is refused, and what the digest covers."""

from pathlib import Path

import msgspec
import pytest

from confide.codes import Code
from confide.engine.limits import EngineLimits
from confide.server import NodeError
from confide.server.config import PLACEMENT, EngineSettings, Limits, NodeConfig, UploadLimits, load_config, settings

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, "port = 1\nactive_seconds = 2\n[limits]\nin_flight = 3\nconnections = 4\n")
    environ = {"CONFIDE_PORT": "11", "CONFIDE_LIMITS_IN_FLIGHT": "13"}
    config = load_config(file=file, environ=environ, flags={"port": 21, "tee": None})
    assert (config.port, config.limits.in_flight, config.limits.connections, config.active_seconds) == (21, 13, 4, 2)
    assert config.tee == "auto"


def test_models_come_as_paths_or_tables_from_every_source(tmp_path: Path) -> None:
    file = write(tmp_path, f'[models]\na = "x"\nb = {{ path = "y", digest = "{"0" * 64}" }}\n')
    assert load_config(file=file, environ={}).models["b"].digest == "0" * 64
    assert load_config(environ={"CONFIDE_MODELS": "a=x, b=y"}).models["b"].path == "y"
    assert load_config(environ={}, flags={"models": {"a": Path("z")}}).models["a"].path == "z"


@pytest.mark.parametrize(
    "text",
    [
        "prot = 1",
        "port = 65536",
        'port = "8711"',
        "port = -1",
        "port = true",
        "host = ''",
        "tee = 'a b'",
        "limits = 3",
        "[limits]\nin_flite = 3",
        "[limits]\nin_flight = 0",
        "[limits]\nrequest_bytes = 10",
        "[engine]\nqueue_seconds = 0.0",
        "[models]\n'../x' = 'p'",
        '[models]\n"a\\n" = "p"',
        'tee = "snp\\n"',
        '[models]\na = { path = "p", digest = "' + "0" * 64 + '\\n" }',
        "[models]\nA = 'p'",
        "[models]\na = 3",
        "[models]\na = { path = 'p', digest = 'beef' }",
        "[models]\na = { digest = '" + "0" * 64 + "' }",
        "[owners]\na = '" + "0" * 64 + "'",
        "[owners.a]\ntoken_sha256 = 'beef'",
        "[owners.A]\ntoken_sha256 = '" + "0" * 64 + "'",
        "[owners.operator]\ntoken_sha256 = '" + "0" * 64 + "'",
        "[owners.a]\ntoken = 'secret'",
        "[uploads]\npackage_bytes = 4294967296",
        "models = []",
        "port = ",
        "port = 1\nport = 2",
    ],
)
def test_a_wrong_setting_refuses(tmp_path: Path, text: str) -> None:
    with pytest.raises(NodeError) as refused:
        load_config(file=write(tmp_path, text), environ={})
    assert refused.value.code is Code.NODE_CONFIG


@pytest.mark.parametrize(
    "environ",
    [
        {"CONFIDE_PORT": "many"},
        {"CONFIDE_PORT": "70000"},
        {"CONFIDE_LIMITS_IN_FLITE": "3"},
        {"CONFIDE_ENGINE_THREADS": "3"},
        {"CONFIDE_ACCESS_LOG": "perhaps"},
        {"CONFIDE_MODELS": "minilm"},
    ],
)
def test_a_wrong_variable_refuses(environ: dict[str, str]) -> None:
    with pytest.raises(NodeError) as refused:
        load_config(environ=environ)
    assert refused.value.code is Code.NODE_CONFIG


def test_variables_of_other_programs_and_of_the_client_are_left_alone() -> None:
    assert load_config(environ={"CONFIDE_POLICY": "x", "PORT": "1"}) == NodeConfig()


def test_a_missing_or_unreadable_file_refuses(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (1 << 20) + b"#")
    for path in (tmp_path / "none.toml", tmp_path, binary, big):
        with pytest.raises(NodeError) as refused:
            load_config(file=path, environ={})
        assert refused.value.code is Code.NODE_CONFIG


def test_too_many_models_refuse() -> None:
    with pytest.raises(NodeError):
        load_config(environ={}, flags={"models": {f"m{i}": "x" for i in range(65)}})


def test_every_measured_setting_changes_the_digest_and_placement_does_not() -> None:
    digest = NodeConfig().digest({})
    for setting in settings():
        flags = {setting.name: OTHER_FORMS.get(setting.name) or _other(setting.default, setting.kind)}
        changed = load_config(environ={}, flags=flags).digest({}) != digest
        assert changed == setting.measured, setting.name


OTHER_FORMS = {
    "authority_key": "ed25519:" + "ab" * 32,
    "collateral_source": "vendors",
    "gpus": "nvidia",
}  # settings of a form of their own


def _other(default: str, kind: type) -> object:
    if kind is bool:
        return default != "true"
    if kind is int:
        return int(default) + 1
    return float(default) + 1 if kind is float else "other"


def test_models_change_the_digest_by_alias_and_digest_but_not_by_path() -> None:
    config = NodeConfig()
    digests = {config.digest({}), config.digest({"a": bytes(32)}), config.digest({"b": bytes(32)}), config.digest({"a": b"1" * 32})}
    assert len(digests) == 4
    moved = load_config(environ={}, flags={"models": {"a": "/elsewhere"}})
    assert moved.digest({"a": bytes(32)}) == config.digest({"a": bytes(32)})


def test_the_digest_does_not_depend_on_the_source_or_on_order(tmp_path: Path) -> None:
    a = load_config(file=write(tmp_path, "tee = 'simulated'\nactive_seconds = 5\n"), environ={})
    b = load_config(environ={"CONFIDE_ACTIVE_SECONDS": "5"}, flags={"tee": "simulated"})
    assert a.effective({"x": bytes(32), "a": bytes(32)}) == b.effective({"a": bytes(32), "x": bytes(32)})


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(AttributeError):
        NodeConfig().port = 1  # type: ignore[misc]


def test_the_engines_bounds_are_all_settings_with_the_engines_defaults() -> None:
    assert EngineSettings().limits() == EngineLimits()


def test_the_documentation_has_every_setting_as_the_code_has_it() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{s.name}` | `{s.variable}` | {f'`{s.default}`' if s.default else ''} "
        f"| {'yes' if s.measured else 'no'} | {s.description} |"
        for s in settings()
    ]


def test_no_field_is_left_out_of_the_documentation() -> None:
    names = {setting.name for setting in settings()}
    assert names == (
        {field.name for field in msgspec.structs.fields(NodeConfig)} - {"limits", "engine", "uploads", "owners", "models"}
        | {f"limits.{field.name}" for field in msgspec.structs.fields(Limits)}
        | {f"engine.{field.name}" for field in msgspec.structs.fields(EngineSettings)}
        | {f"uploads.{field.name}" for field in msgspec.structs.fields(UploadLimits)}
    )
    assert set(PLACEMENT) <= names
