"""NVIDIA's own verifier (`nv-local-gpu-verifier`): questions on stdin, opinions on stdout, a JSON line each, as in `../rust`.

Run by the Python of an environment of its own, made from `requirements.txt`: `judge.py < questions`. All judging is done by its
classes, in the order of its `cc_admin.attest`; that function itself asks a driver about this machine, so its steps are called here:

1. the chain's certificates (`extract_cert_chain`), the last one replaced by a root of the question; fewer or more than five refuse
2. the report (`AttestationReport`), FWID against the leaf, then the chain (`verify_gpu_certificate_chain`)
3. revocation (`ocsp_certificate_chain_validation`), where the question brings responses
4. versions and signature of the report (`verify_attestation_report`)
5. both manifests: schema, certificates, revocation, version, signature (`RIM.verify`)
6. measurements against both manifests (`Verifier.verify`); `why` then begins with `measurements`

It would take from the machine and the network what is taken from the question: the time of its stores, the root of manifests, OCSP
responses. Driver and VBIOS version and the nonce are the report's own, so what it compares them with there says nothing. OCSP is
left out where a response is missing or carries no certificate, which it needs. Switches it does not know. Its `signxml` misspells
the canonical form of a signature whose namespace is the default one, so it refuses manifests that do not write `ds:` as NVIDIA's
do; and it reads certificates there only with line ends around their base64.

Left to others: what is asked (`conformance.oracles.cases`).
"""

import base64
import importlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

ARCHITECTURES = {"GH": 9, "GB": 10}  # NVML's numbers, by the beginning of the name of the certificate above the leaf
WHY = 300  # characters that are kept of an error
RIM_ROOT = "root.pem"


class NotJudgedError(Exception):
    """It has no opinion on this input."""


class RefusedError(Exception):
    """It says no."""


@dataclass(frozen=True)
class Question:
    """A question with its base64 undone."""

    id: str
    kind: str
    evidence: Mapping[str, bytes]
    endorsements: Mapping[str, bytes]
    now: datetime
    roots: tuple[bytes, ...]

    @classmethod
    def read(cls, line: str) -> "Question":
        """Raises whatever a line raises that is none."""
        fields = json.loads(line)
        return cls(
            id=fields["id"],
            kind=fields["kind"],
            evidence={role: base64.b64decode(text) for role, text in fields["evidence"].items()},
            endorsements={role: base64.b64decode(text) for role, text in fields.get("endorsements", {}).items()},
            now=datetime.fromisoformat(fields["now"]).astimezone(UTC),
            roots=tuple(base64.b64decode(root) for root in fields["roots"]),
        )


class Judge:
    """The third party, set to one question at a time."""

    def __init__(self) -> None:
        self.now = datetime.min.replace(tzinfo=UTC)
        self.responses: list[Any] = []
        self.notes: list[str] = []
        self.crypto = importlib.import_module("OpenSSL.crypto")
        self._set_clock()
        self.config = importlib.import_module("verifier.config")
        self.utils = importlib.import_module("verifier.cc_admin_utils").CcAdminUtils
        self.x509 = importlib.import_module("cryptography.x509")
        self.ocsp = importlib.import_module("cryptography.x509.ocsp")
        self.last = LastError()
        for log in (self.config.info_log, self.config.event_log):
            log.handlers = [self.last]
        self.config.BaseSettings.OCSP_NONCE_DISABLED = True  # recorded responses answer no nonce of ours
        self._validate: Callable[..., Any] = self.utils.ocsp_certificate_chain_validation
        self.utils.ocsp_certificate_chain_validation = self._revocation
        self.utils.send_ocsp_request = self._response

    def _set_clock(self) -> None:
        """Stores of pyOpenSSL, those of signxml's contexts too, look at `now`."""
        judge, ssl = self, importlib.import_module("OpenSSL.SSL")
        made, found = self.crypto.X509Store.__init__, ssl.Context.get_cert_store

        def make(store: Any) -> None:
            made(store)
            store.set_time(judge.now)

        def find(context: Any) -> Any:
            store = found(context)
            store.set_time(judge.now)
            return store

        self.crypto.X509Store.__init__, ssl.Context.get_cert_store = make, find

    def _revocation(self, chain: list[Any], settings: Any, mode: Any) -> Any:
        """Theirs, where it has what it needs."""
        first = 1 if mode == settings.Certificate_Chain_Verification_Mode.GPU_ATTESTATION else 0
        for certificate in chain[first:-1]:
            found = self._find(certificate.get_serial_number())
            if found is None or (found.response_status.name == "SUCCESSFUL" and not found.certificates):
                self.notes.append(f"no OCSP for {mode.name.lower()}")
                return True, "", "good", None
        return self._validate(chain, settings, mode)

    def _find(self, serial: int) -> Any:
        matching = [each for each in self.responses if each.response_status.name == "SUCCESSFUL" and each.serial_number == serial]
        return matching[0] if matching else None

    def _response(self, request: bytes) -> Any:
        """In place of the network."""
        return self._find(self.ocsp.load_der_ocsp_request(request).serial_number)

    # --- the steps of a question ----------------------------------------------------------------------------------------------

    def judge(self, question: Question) -> str:
        """What it accepts, and of what it has no opinion; raises `RefusedError`, `NotJudgedError` or an error of theirs."""
        if question.kind != "nvidia":
            raise NotJudgedError(f"no verifier of {question.kind} here")
        self.now, self.notes, self.last.text = question.now, [], ""
        self.config.BaseSettings.CURRENT_OPAQUE_DATA_VERSION = 0
        self.responses = [self.ocsp.load_der_ocsp_response(der) for der in sequences(question.endorsements.get("ocsp", b""))]
        with tempfile.TemporaryDirectory() as folder:
            if "gpu-report" in question.evidence:
                self._device(question, Path(folder))
            elif "rim" in question.evidence:
                settings = self.config.HopperSettings()
                self._manifest("driver", question.evidence["rim"], None, settings, question.roots, Path(folder))
            else:
                raise NotJudgedError("no gpu-report, no rim")
        return ", ".join(["nv-local-gpu-verifier", *self.notes])

    def _device(self, question: Question, folder: Path) -> None:
        """Steps 1 to 6."""
        if "cert-chain" not in question.endorsements:
            raise NotJudgedError("no cert-chain")
        chains = importlib.import_module("verifier.nvml.gpu_cert_chains").GpuCertificateChains
        chain = chains.extract_cert_chain(question.endorsements["cert-chain"])
        settings = self._settings(chain)
        report = importlib.import_module("verifier.attestation").AttestationReport(question.evidence["gpu-report"], settings)
        root = self._chained(chain[:-1], report, settings, question.roots)
        mode = settings.Certificate_Chain_Verification_Mode.GPU_ATTESTATION
        require(self.utils.ocsp_certificate_chain_validation([*chain[:-1], root], settings, mode)[0], "revocation of the device")
        driver, vbios = versions(report)
        signed = self.utils.verify_attestation_report(
            attestation_report_obj=report,
            gpu_leaf_certificate=chain[0],
            nonce=report.get_request_message().get_nonce(),
            driver_version=driver,
            vbios_version=vbios,
            settings=settings,
        )
        require(signed, "signature of the report")
        if not {"rim-driver", "rim-vbios"} <= question.endorsements.keys():
            self.notes.append("neither manifests nor measurements, as there are not both manifests")
            return
        manifests = {
            part: self._manifest(part, question.endorsements[f"rim-{part}"], version, settings, question.roots, folder)
            for part, version in (("driver", driver), ("vbios", vbios.lower()))
        }
        verifier = importlib.import_module("verifier.verifier").Verifier(report, manifests["driver"], manifests["vbios"], settings)
        require(verifier.verify(settings), "measurements are not the manifests'")

    def _settings(self, chain: list[Any]) -> Any:
        """Of the architecture, which it would ask NVML for."""
        name = chain[1].get_subject().CN if len(chain) > 1 else ""
        number = ARCHITECTURES.get((name or "")[:2])
        if number is None:
            raise NotJudgedError(f"no such architecture: {name}")
        return {9: self.config.HopperSettings, 10: self.config.BlackwellSettings}[number]()

    def _chained(self, chain: list[Any], report: Any, settings: Any, roots: tuple[bytes, ...]) -> Any:
        """The root that the chain leads to."""
        fwid = report.get_response_message().get_opaque_data().get_data("OPAQUE_FIELD_ID_FWID").hex()
        for der in roots:
            root = self.crypto.load_certificate(self.crypto.FILETYPE_ASN1, der)
            found = self.utils.verify_gpu_certificate_chain([*chain, root], settings, fwid)
            if found is not False and found[0]:
                return root
        raise RefusedError(f"chain of the device: {self.last.text}")

    def _manifest(self, part: str, data: bytes, version: str | None, settings: Any, roots: tuple[bytes, ...], folder: Path) -> Any:
        """Step 5 under the first root that will do; without a version, the manifest's own."""
        path = folder / f"{part}.swidtag"
        path.write_bytes(data)
        error: Exception = RefusedError("no root")
        for der in roots:
            root, certificate = folder / RIM_ROOT, self.crypto.load_certificate(self.crypto.FILETYPE_ASN1, der)
            root.write_bytes(self.crypto.dump_certificate(self.crypto.FILETYPE_PEM, certificate))
            settings.ROOT_CERT_DIR, settings.RIM_ROOT_CERT = str(folder), str(root)
            try:
                manifest = importlib.import_module("verifier.rim").RIM(rim_name=part, settings=settings, rim_path=str(path))
                manifest.verify(version=version or manifest.colloquialVersion, settings=settings)
            except importlib.import_module("verifier.exceptions").RIMCertChainVerificationError as caught:
                error = caught  # another root may do
                continue
            matched = settings.gpu_driver_rim_version_matched if part == "driver" else settings.gpu_vbios_rim_version_matched
            require(matched, f"version of the {part} manifest")
            return manifest
        raise error


class LastError(logging.Handler):
    """Keeps their last word; nothing is written."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage().strip()


def require(held: Any, what: str) -> None:
    if held is not True:
        raise RefusedError(what)


def versions(report: Any) -> tuple[str, str]:
    """Of driver and VBIOS, as its `verify_attestation_report` reads them."""
    opaque = report.get_response_message().get_opaque_data()
    driver = opaque.get_data("OPAQUE_FIELD_ID_DRIVER_VERSION").decode()
    vbios = importlib.import_module("verifier.utils").format_vbios_version(opaque.get_data("OPAQUE_FIELD_ID_VBIOS_VERSION"))
    return driver.removesuffix("\0"), vbios


def sequences(data: bytes) -> Iterator[bytes]:
    """DER values one behind the other (X.690 section 8.1.3); the last one may be anything."""
    while data:
        octets = data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0
        size = 2 + octets + (int.from_bytes(data[2 : 2 + octets]) if octets else data[1] if len(data) > 1 else 0)
        yield data[:size]
        data = data[size:]


def opinion(judge: Judge, line: str) -> dict[str, Any]:
    """An answer to any line."""
    try:
        question = Question.read(line)
    except Exception as error:  # noqa: BLE001 - not a question
        return {"id": "", "accepted": None, "why": f"no question: {error}"[:WHY]}
    accepted: bool | None = False
    try:
        why = judge.judge(question)
        accepted = True
    except NotJudgedError as error:
        accepted, why = None, str(error)
    except RefusedError as error:
        accepted, why = False, str(error)
    except BaseException as error:  # noqa: BLE001 - whatever theirs raises is an answer
        theirs = type(error).__module__.startswith("verifier.")
        accepted, why = False, f"{'' if theirs else 'crash: '}{type(error).__name__}: {error}".replace("\t", "")
    return {"id": question.id, "accepted": accepted, "why": why[:WHY]}


def main() -> int:
    """Their logs and prints go nowhere: stdout is for opinions."""
    out: TextIO = sys.stdout
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        here = Path.cwd()
        os.chdir(folder)  # it writes a log where it is loaded
        sys.stdout = nowhere
        judge = Judge()
        os.chdir(here)
        for line in sys.stdin:
            print(json.dumps(opinion(judge, line)), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
