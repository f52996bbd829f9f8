"""The harness for recorded evidence: the public cases, and folders written here in which something is wrong."""

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conformance.kinds import ADAPTERS, snp
from cryptography.hazmat.primitives.serialization import Encoding
from tests.attest.snp.world import NOW, REPORT_DATA, ROOTS, chip
from tests.support import ROOT, need_recorded_vectors

from confide.attest import verifiers
from confide.attest.evidence import Kind, Root
from confide.attest.snp.layout import Product, Tcb, parse_report
from confide.attest.x509 import load_certificate
from confide_sim.amd import FalseChip
from conformance import recorded, reports, unwrap

AS_OF = "2026-06-01T00:00:00Z"
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _simulated_roots(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Folders written here hold simulated evidence; the public ones are judged with AMD's roots alone."""
    if "write" in request.fixturenames:
        monkeypatch.setattr(recorded, "VENDOR_ROOTS", ROOTS)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder with one case; arguments override its judge entry, `files` maps names to (role, bytes)."""

    def case(files: Mapping[str, tuple[str, bytes]] | None = None, *, kind: str = "snp", **judge: Any) -> Path:
        given = files or standard()
        (tmp_path / "x").mkdir(exist_ok=True)
        for name, (_, data) in given.items():
            (tmp_path / "x" / name).write_bytes(data)
        entry = {
            "id": "x",
            "path": "x",
            "kind": kind,
            "files": [{"name": name, "role": role} for name, (role, _) in given.items()],
            "judge": [{"case": "x#1", "as_of": AS_OF, "genuine": True, "default": "accept", "use": list(given), **judge}],
        }
        (tmp_path / "MANIFEST.json").write_text(json.dumps({"version": 1, "vectors": [entry]}))
        return tmp_path

    return case


def standard(one: FalseChip | None = None, **report: Any) -> dict[str, tuple[str, bytes]]:
    own = one or chip()
    items = own.endorsements().items
    files = {"report.bin": ("report", own.report(report_data=REPORT_DATA, **report))}
    return files | {f"{role}.bin": (role, data) for role, data in items.items()}


def run(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    status = recorded.main([str(folder), "--json", *arguments])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --- the public evidence ---


def test_every_public_snp_case_is_right() -> None:
    folder = need_recorded_vectors()
    command = [sys.executable, "conformance/recorded.py", str(folder), "--kind", "snp", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row for row in lines[:-1] if not row["right"]] == []
    assert lines[-1] == {"totals": {"snp": {"right": 19, "wrong": 0, "wrong_accepts": 0, "unsupported": 0}}}
    assert done.returncode == 0


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.value in ADAPTERS])
def test_every_recorded_case_of_a_supported_kind_is_judged_right(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = run(need_recorded_vectors(), capsys, "--kind", kind.value)
    assert [row["case"] for row in lines[:-1] if not row["right"]] == []
    assert (status, lines[-1]["totals"][kind.value]["wrong_accepts"]) == (0, 0)


def test_a_kind_without_a_verifier_is_unsupported_and_never_right(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    status, (row, last) = run(write(kind="moon"), capsys)
    assert (status, row["genuine"], row["code"], row["right"]) == (1, None, "evidence.kind", False)
    assert last["totals"]["moon"] == {"right": 0, "wrong": 0, "wrong_accepts": 0, "unsupported": 1}


# --- folders written here ---


def test_a_right_case_has_the_members_of_the_design(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    status, (row, last) = run(write(), capsys)
    assert status == 0
    assert list(row) == ["case", "kind", "as_of", "genuine", "default", "tcb_status", "code", "right", "not_checked"]
    assert (row["case"], row["as_of"], row["genuine"], row["default"], row["code"]) == ("x#1", AS_OF, True, "accept", None)
    assert any(item.startswith("measurements: ") for item in row["not_checked"])
    assert not any(item.startswith("revocation") for item in row["not_checked"]), "the files carry a list"
    assert last == {"totals": {"snp": {"right": 1, "wrong": 0, "wrong_accepts": 0, "unsupported": 0}}}


def test_an_expectation_that_is_null_does_not_count(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write(standard(vmpl=1), default=None), capsys)[0] == 0
    assert run(write(standard(vmpl=1), genuine=None, default="reject", tcb_status=None), capsys)[0] == 0


@pytest.mark.parametrize(
    ("expected", "accepted"),
    [({"genuine": False, "default": "reject"}, 1), ({"default": "reject"}, 1), ({"tcb_status": "UpToDate"}, 0)],
)
def test_wrong_accepts_are_counted(
    write: Write, capsys: pytest.CaptureFixture[str], expected: dict[str, Any], accepted: int
) -> None:
    status, (row, last) = run(write(**expected), capsys)
    assert (status, row["right"]) == (1, False)
    assert last["totals"]["snp"] == {"right": 0, "wrong": 1, "wrong_accepts": accepted, "unsupported": 0}


def test_a_wrong_rejection_is_no_wrong_accept(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    status, (row, last) = run(write(standard(vmpl=1)), capsys)
    assert (status, row["genuine"], row["default"], row["code"]) == (1, True, "reject", "snp.vmpl")
    assert last["totals"]["snp"]["wrong_accepts"] == 0


def test_without_a_clock_the_earliest_common_time_is_taken(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    _, (row, _) = run(write(as_of=None), capsys)
    start = load_certificate(chip().certificate).not_valid_before_utc
    assert row["as_of"] == start.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert row["right"]


def test_without_clock_and_certificates_nothing_is_accepted(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"report.bin": standard()["report.bin"], "vcek.bin": ("vcek", b"none")}
    _, (row, _) = run(write(files, as_of=None, genuine=False, default="reject"), capsys)
    assert (row["right"], row["code"], row["as_of"]) == (True, "x509.malformed", "2000-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("nonce", "right"),
    [(REPORT_DATA, True), (REPORT_DATA[:32], False), (b"\x42" * 32, False), (b"\x42" * 65, False)],
)
def test_the_nonce_is_enforced_over_the_whole_field(
    write: Write, capsys: pytest.CaptureFixture[str], nonce: bytes, right: bool
) -> None:
    _, (row, _) = run(write(nonce_hex=nonce.hex()), capsys)
    assert (row["right"], row["genuine"]) == (right, True)
    assert row["code"] == (None if right else "recorded.nonce")


def test_a_short_nonce_has_zeros_behind_it_and_a_file_may_carry_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    own = chip()
    files = standard() | {"report.bin": ("report", own.report(report_data=b"nonce".ljust(64, b"\x00"))), "n": ("nonce", b"nonce")}
    assert run(write(files), capsys)[0] == 0
    assert run(write(files | {"n": ("nonce", b"nonc")}), capsys)[0] == 1


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"vmpl": 0, "product": "milan", "measurement": "5a" * 48, "signing_key": "VCEK"}, None),
        ({"policy": "0x30000", "guest_svn": "0", "debug": False, "cpuid_fms": "190101"}, None),
        ({"report_data": REPORT_DATA.hex()}, None),
        ({"expected_measurement": ["00" * 48, "5a" * 48]}, None),
        ({"host_data": "00"}, None),
        ({"measurement": "5b" * 48}, "recorded.policy_input:measurement"),
        ({"measurement": ""}, "recorded.policy_input:measurement"),
        ({"measurement": "5a" * 47}, "recorded.policy_input:measurement"),
        ({"vmpl": "one"}, "recorded.policy_input:vmpl"),
        ({"vmpl": True}, "recorded.policy_input:vmpl"),
        ({"product": "Genoa"}, "recorded.policy_input:product"),
        ({"debug": True}, "recorded.policy_input:debug"),
        ({"moon": "full"}, "recorded.policy_input_unknown:moon"),
    ],
)
def test_extra_expectations_are_enforced_or_refused(
    write: Write, capsys: pytest.CaptureFixture[str], inputs: dict[str, Any], code: str | None
) -> None:
    _, (row, _) = run(write(policy_inputs=inputs), capsys)
    assert (row["code"], row["right"]) == (code, code is None)


def test_a_list_in_the_files_is_applied(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    amd = chip().amd
    files = standard() | {"crl.bin": ("crl", amd.crl(at=NOW, revoked=(amd.serial_number("ask"),)))}
    _, (row, _) = run(write(files, genuine=False, default="reject"), capsys)
    assert (row["code"], row["right"]) == ("x509.revoked", True)


def test_two_files_of_one_role_are_one_bundle(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    amd = chip().amd
    files = {key: value for key, value in standard().items() if key not in {"ask.bin", "ark.bin"}}
    assert run(write(files | {"a": ("cert-chain", amd.ark), "b": ("cert-chain", amd.ask)}), capsys)[0] == 0


def test_a_file_that_is_missing_makes_the_case_wrong_and_the_rest_goes_on(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(genuine=False, default="reject")
    (folder / "x" / "report.bin").unlink()
    status, (row, _) = run(folder, capsys)
    assert (status, row["right"], row["code"]) == (1, False, "recorded.unreadable.FileNotFoundError")


def test_a_crash_of_the_verifier_is_never_right(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(verifiers, "authenticate", broken)
    _, (row, _) = run(write(genuine=False, default="reject"), capsys)
    assert (row["right"], row["code"]) == (False, "crash.ZeroDivisionError")


def test_claims_of_another_class_are_a_crash(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifiers, "validate", lambda *_, **__: None)
    monkeypatch.setattr(snp, "SnpClaims", Root)
    entry = json.loads((write() / "MANIFEST.json").read_text())["vectors"][0]
    case = recorded.read_case(write(), entry, entry["judge"][0])
    assert recorded.judge_case(case).code == "crash.TypeError"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"vectors": 3}', None])
def test_a_broken_manifest_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    if text is not None:
        (tmp_path / "MANIFEST.json").write_text(text)
    assert recorded.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_people_get_text(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert recorded.main([str(write())]) == 0
    assert capsys.readouterr().out.startswith("right")
    assert recorded.main([str(write(default="reject"))]) == 1
    assert capsys.readouterr().out.startswith("WRONG")
    assert recorded.main([str(write(kind="moon"))]) == 1
    assert capsys.readouterr().out.startswith("unsupported")


def test_a_clock_without_a_zone_is_utc(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write(as_of="2026-06-01T00:00:00"), capsys)[1][0]["as_of"] == AS_OF


# --- wrappings ---


def test_a_devices_response_holds_the_report() -> None:
    report = chip().report(report_data=REPORT_DATA)
    response = b"\x00\x00\x00\x00\xa0\x04\x00\x00" + bytes(24) + report
    assert unwrap.unwrap_report(response.ljust(4000, b"\x00")) == report
    assert unwrap.unwrap_report(report) == report


def table(**certificates: bytes) -> bytes:
    guids = {role: bytes.fromhex(guid) for guid, role in unwrap.GUIDS.items()}
    offset, head, body = 24 * (len(certificates) + 1), b"", b""
    for role, data in certificates.items():
        head += guids[role] + (offset + len(body)).to_bytes(4, "little") + len(data).to_bytes(4, "little")
        body += data
    return head + bytes(24) + body


def test_the_certificate_table_of_an_extended_report_is_read() -> None:
    found = unwrap.unwrap_table(table(vcek=chip().certificate, ask=chip().amd.ask))
    assert found == {"vcek": chip().certificate, "ask": chip().amd.ask}
    assert unwrap.unwrap_table(b"\x01" * 100) == {}
    assert unwrap.unwrap_table(bytes.fromhex(next(iter(unwrap.GUIDS))) + b"\xff" * 8) == {}


def dialects() -> dict[str, Any]:
    own = chip()
    report, amd = own.report(report_data=REPORT_DATA), own.amd
    text = [load_certificate(data).public_bytes(unwrap_pem()).decode() for data in (own.certificate, amd.ask, amd.ark)]
    b64 = [base64.b64encode(data).decode() for data in (report, own.certificate, amd.ask)]
    inner = base64.urlsafe_b64encode(json.dumps({"report": b64[0], "noise": ["x" * 80, 3, None]}).encode()).decode().rstrip("=")
    return {
        "base 64": {"evidence": {"attestation_report": b64[0], "cert_chain": {"vcek": b64[1]}}, "ask": b64[2]},
        "hex and PEM": {"report": report.hex(), "vcekCert": text[0], "certificateChain": text[1] + text[2]},
        "numbers": {"attestation_report": list(report), "cert_chain": [list(own.certificate), list(amd.ask)]},
        "table": {"outblob": b64[0], "auxblob": base64.urlsafe_b64encode(table(vcek=own.certificate, ask=amd.ask)).decode()},
        "nested": {"evidence": inner, "endorsements": [b64[1], b64[2]], "odd": ["A" * 65, "{" + "x" * 70]},
        "broken inside": {"report": b64[0], "chain": b64[1:], "inner": base64.b64encode(b"{" + b"x" * 80).decode()},
    }


def unwrap_pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - only here

    return Encoding.PEM


@pytest.mark.parametrize("dialect", list(dialects()))
def test_json_dialects_are_unwrapped_in_the_harness(write: Write, capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    status, (row, _) = run(write({"e.json": ("attestation-json", json.dumps(dialects()[dialect]).encode())}), capsys)
    assert (status, row["code"]) == (0, None)


def varint(number: int) -> bytes:
    return bytes((number & 0x7F | 0x80,)) + varint(number >> 7) if number > 0x7F else bytes((number,))


def message(fields: Mapping[int, int | bytes]) -> bytes:
    """Protobuf's wire format: varints, and bytes behind their length; what is zero is left out."""
    parts = []
    for number, value in fields.items():
        if isinstance(value, int):
            parts += [varint(number << 3), varint(value)] if value else []
        else:
            parts += [varint(number << 3 | 2), varint(len(value)), value]
    return b"".join(parts)


def spelled(data: bytes) -> dict[str, Any]:
    """A report field by field, with the names of virtee/sev."""
    report, lists = parse_report(data), ("family_id", "image_id", "report_data", "measurement", "host_data", "id_key_digest")
    lists += ("author_key_digest", "report_id", "report_id_ma", "chip_id")  # type: ignore[assignment]
    layout = (Product.TURIN if report.cpuid and report.cpuid[0] == 0x1A else Product.MILAN).tcb_layout
    members: dict[str, Any] = {name: list(getattr(report, name)) for name in lists}
    for name in ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"):
        tcb = Tcb.from_bytes(getattr(report, name), layout)
        members[name] = {"fmc": tcb.fmc, "bootloader": tcb.boot_loader, "tee": tcb.tee, "snp": tcb.snp, "microcode": tcb.microcode}
    for name in ("current", "committed"):
        version = getattr(report, f"{name}_version")
        members[name] = {"major": version.major, "minor": version.minor, "build": version.build}
    family, model, stepping = report.cpuid or (None, None, None)
    return members | {
        "version": report.version,
        "guest_svn": report.guest_svn,
        "policy": report.policy,
        "vmpl": report.vmpl,
        "sig_algo": 1,
        "plat_info": report.platform_info,
        "key_info": report.signing_key << 2,
        "cpuid_fam_id": family,
        "cpuid_mod_id": model,
        "cpuid_step": stepping,
        "launch_mit_vector": report.launch_mit_vector,
        "current_mit_vector": report.current_mit_vector,
        "signature": {"r": list(data[0x2A0:0x2E8]), "s": list(data[0x2E8:0x330])},
    }


def as_protobuf(data: bytes) -> dict[int, int | bytes]:
    """The fields of `sevsnp.Report`."""
    fields: dict[int, int | bytes] = {}
    for place in reports._FIELDS.values():
        value = data[place.offset : place.offset + place.size]
        if place.number:
            fields[place.number] = value if place.size > 8 else int.from_bytes(value, "little")
    family, model, stepping = data[0x188:0x18B]
    fields[29] = (family - 0xF) << 20 | 0xF << 8 | model >> 4 << 16 | (model & 0xF) << 4 | stepping if family else 0
    return fields


@pytest.mark.parametrize("product", list(Product))
def test_reports_kept_field_by_field_are_put_together_again(product: Product) -> None:
    data = chip(product).report(report_data=REPORT_DATA, guest_svn=3, platform_info=0x25)
    fields = as_protobuf(data)
    assert unwrap.unwrap_json(json.dumps([{"evidence": spelled(data)}]).encode())["report"] == data
    assert reports.from_protobuf(message(fields)) == {"report": data}
    names = {place.number: name for name, place in reports._FIELDS.items()} | {29: "cpuid1EaxFms"}
    plain = {names[number]: base64.b64encode(v).decode() if isinstance(v, bytes) else str(v) for number, v in fields.items()}
    assert unwrap.unwrap_json(json.dumps({"report": plain}).encode())["report"] == data
    both = message({1: message(fields), 2: message({1: b"vcek", 2: b"ask", 3: b"ark"}), 3: message({1: 2})})
    assert reports.from_protobuf(both) == {"report": data, "vcek": b"vcek", "ask": b"ask", "ark": b"ark"}


def test_protobuf_and_json_cases_are_judged_by_what_is_in_them(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    data = chip().report(report_data=REPORT_DATA)
    rest = {name: item for name, item in standard().items() if name != "report.bin"}
    packed = gzip.compress(message({1: message(as_protobuf(data))}))
    for role, text in (("attestation-protobuf", packed), ("attestation-json", json.dumps(spelled(data)).encode())):
        status, (row, _) = run(write({"a": (role, text), **rest}), capsys)
        assert (status, row["genuine"], row["default"]) == (0, True, "accept")
    edited = spelled(data) | {"policy": 0xB0000}
    _, (row, _) = run(write({"a": ("attestation-json", json.dumps(edited).encode()), **rest}), capsys)
    assert (row["genuine"], row["code"]) == (False, "snp.signature")


def test_a_dialect_that_nobody_knows_is_a_gap_and_garbage_is_refused(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    rest = {name: item for name, item in standard().items() if name != "report.bin"}
    status, (row, last) = run(write({"a": ("attestation-json", b'{"quote": "x"}'), **rest}, default="reject"), capsys)
    assert (status, row["code"], row["right"], last["totals"]["snp"]["unsupported"]) == (1, "recorded.dialect", False, 1)
    for role in ("attestation-json", "attestation-protobuf"):
        status, (row, _) = run(write({"a": (role, b"{"), **rest}, genuine=False, default="reject"), capsys)
        assert (status, row["code"], row["right"]) == (0, "snp.size", True)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x08", b"\x0a\x05ab", b"\x0b", b"\xff" * 20, b"\x0a\x00", message({1: message({1: 2})}), message({1: 1 << 40, 3: 1})],
)
def test_what_is_no_attestation_protobuf_is_a_value_error(data: bytes) -> None:
    with pytest.raises((ValueError, OverflowError)):
        reports.from_protobuf(data)


def test_a_services_answer_and_a_certificate_table_are_endorsements(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    items = chip().endorsements().items
    armour = {role: load_certificate(items[role]).public_bytes(Encoding.PEM).decode() for role in ("vcek", "ask", "ark")}
    answer = json.dumps({"vcekCert": armour["vcek"], "tcbm": "DB18000000000004", "certificateChain": armour["ask"] + armour["ark"]})
    report = standard()["report.bin"]
    for data in (answer.encode(), json.dumps([answer]).encode()):
        assert run(write({"report.bin": report, "thim": ("collateral", data)}), capsys)[0] == 0
    hexed = ("report", report[1].hex().encode() + b"\n")
    assert run(write({"report.hex": hexed, "thim": ("collateral", answer.encode())}), capsys)[0] == 0


@pytest.mark.parametrize(
    ("inputs", "accepted"),
    [
        ({"policy_bits": {"debug": False, "smt_allowed": True, "abi_major": 0}}, True),
        ({"policy_bits": {"debug": True}}, False),
        ({"policy_bits": {"unheard_of": False}}, False),
        ({"policy_bits": {}}, False),
        ({"reported_tcb_decoded": {"boot_loader": 4, "snp": 24}}, True),
        ({"reported_tcb_decoded": {"boot_loader": 5}}, False),
        ({"platform_info_bits": {"alias_check_complete": False}}, True),
        ({"platform_info_bits": {"alias_check_complete": True}}, False),
    ],
)
def test_nested_expectations_are_enforced(
    write: Write, capsys: pytest.CaptureFixture[str], inputs: dict[str, Any], accepted: bool
) -> None:
    _, (row, _) = run(write(standard(platform_info=1), policy_inputs=inputs), capsys)
    assert row["default"] == ("accept" if accepted else "reject")


def test_a_vlek_in_json_is_told_from_its_intermediate() -> None:
    from confide.attest.snp.layout import SigningKey  # noqa: PLC0415 - only here

    own = chip(Product.MILAN, SigningKey.VLEK)
    found = unwrap.unwrap_json(json.dumps([base64.b64encode(data).decode() for data in (own.certificate, own.amd.asvk)]).encode())
    assert set(found) == {"vlek", "cert-chain"}
