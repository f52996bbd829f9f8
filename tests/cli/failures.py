"""Kinds x failures: what lies, and the code that says so. `test_kinds` runs them, `scripts/failures_page.py` prints them.

What a kind cannot fail of stands in `NOT` with the reason, so that no cell is empty. Left to others: how documents are made
(`kinds`).
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.x509 import ocsp
from tests.cli.kinds import KINDS, LAB, SINGLE, members
from tests.policy.world import NOW, OWNED, OWNED_KEYS

from confide.attest.snp.layout import Product
from confide.codes import Code
from confide_sim import intel, nvidia
from confide_sim.amd import FalseAmd
from confide_sim.tpm import GOOGLE

Members = dict[str, Any]
Change = Callable[[Members], Any]

REVOKED = "a certificate is revoked"
EXPIRED = "certificates, lists or TCB data have ended"
AGE = "lists, or documents, are older than the policy wants"
NO_LIST = "no revocation list, or no status"
NO_COLLATERAL = "no certificate, TCB data or manifest"
OTHER = "other software runs"
DEBUG = "debugging is possible"
OLD = "firmware is older than wanted"
SIGNATURE = "another key signed"
CUT = "the evidence is cut short"
PART = "a part of the evidence is missing"
BOUND = "the evidence is of another session"
WINDOW = "the node's keys have ended"
VENDOR = "a false vendor vouches"
UNLISTED = "the policy lists no such kind"
CONFIG = "the node is configured otherwise"
ADMISSION = "the node's owner has not admitted it"
UNSIGNED = "the policy is not signed as asked"
OVER = "the policy has ended"
SHAPE = "the policy is not one"
NONCE = "another's nonce is in the evidence"
ROLLBACK = "a newer policy was seen before"
LIVE = (NONCE, ROLLBACK)  # of a node that is asked now; a file has no nonce and no state
ROWS = (
    *(REVOKED, EXPIRED, AGE, NO_LIST, NO_COLLATERAL, OTHER, DEBUG, OLD, SIGNATURE, CUT, PART, BOUND, WINDOW),
    *(VENDOR, UNLISTED, CONFIG, ADMISSION, UNSIGNED, OVER, SHAPE),
    *LIVE,
)


@dataclass(frozen=True)
class Failure:
    """One cell.

    Attributes:
        lies: arguments of `Lab.document`; `edit` changes the finished document's members, `policy` the policy's.
        after: how long after the evidence was made it is judged.
        words: more of the command line.
    """

    code: Code
    lies: Mapping[str, Any] = field(default_factory=dict)
    edit: Change | None = None
    policy: Change | None = None
    after: timedelta = timedelta()
    words: tuple[str, ...] = ()

    def document(self, kind: str) -> bytes:
        """As the false vendor makes it."""
        raw = LAB.document(kind, **self.lies) if self.lies else LAB.genuine(kind)
        if self.edit is None:
            return raw
        found = json.loads(raw)
        self.edit(found)
        return json.dumps(found).encode()

    def policy_file(self, kind: str) -> bytes:
        """The policy that accepts the kind, with the change."""
        if self.policy is None:
            return LAB.policy(kind)
        found = members(kind)
        self.policy(found)
        return json.dumps(found, default=lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")).encode()

    @property
    def at(self) -> datetime:
        """When it is judged."""
        return NOW + self.after


def said(code: Code, **overrides: Any) -> Failure:
    """The evidence lies."""
    return Failure(code, {"evidence": overrides})


def given(code: Code, **overrides: Any) -> Failure:
    """Its collateral lies."""
    return Failure(code, {"endorsements": overrides})


def wants(code: Code, *path: str, **values: Any) -> Failure:
    """The last accept entry, or a table in it, wants something else."""

    def change(policy: Members) -> None:
        target = policy["accept"][-1]
        for name in path:
            target = target[name]
        target.update(values)

    return Failure(code, policy=change)


def later(code: Code, **after: int) -> Failure:
    """Judged when something has ended."""
    return Failure(code, after=timedelta(**after))


def cut(name: str) -> Change:
    """Half of an item of evidence."""

    def change(document: Members) -> None:
        item = next(item for item in document["evidence"] if item["type"] == name)
        data = base64.b64decode(item["value"])
        item["value"] = base64.b64encode(data[: len(data) // 2]).decode()

    return change


def without(name: str) -> Change:
    """An item of evidence left out."""

    def change(document: Members) -> None:
        document["evidence"].remove(next(item for item in document["evidence"] if item["type"] == name))

    return change


# --- what kinds share -------------------------------------------------------------------------------------------------------------

MILAN = FalseAmd(Product.MILAN)
OWNER_KEY = OWNED["node__authority_key"]
ZERO32, ZERO48 = "00" * 32, "00" * 48
REAL: Change = lambda policy: policy.pop("unsafe_accept_simulated")  # noqa: E731 - a name for it reads better in the tables
EVERY: dict[str, Failure] = {
    BOUND: Failure(Code.BINDING_MISMATCH, {"bound": bytes(64)}),
    WINDOW: Failure(Code.VERDICT_KEYSET_EXPIRED, {"keys": {"not_after": NOW}}),
    VENDOR: Failure(Code.X509_ROOT, policy=REAL),
    AGE: Failure(Code.X509_CRL_AGE, policy=lambda policy: policy.update(require={"max_crl_age": "1h"})),
    CONFIG: Failure(Code.POLICY_CONFIG_DIGEST, policy=lambda policy: policy["node"].update(config_digests=[ZERO32])),
    ADMISSION: Failure(
        Code.POLICY_ADMISSION, {"keys": OWNED_KEYS}, policy=lambda policy: policy["node"].update(authority_key=OWNER_KEY)
    ),
    UNSIGNED: Failure(Code.POLICY_SIGNER, words=("--policy-signer", "signer.json")),
    OVER: Failure(Code.POLICY_EXPIRED, policy=lambda policy: policy.update(expires=NOW)),
    SHAPE: Failure(Code.POLICY_SHAPE, policy=lambda policy: policy.update(unknown="member")),
    NONCE: Failure(Code.VERDICT_NONCE),
    ROLLBACK: Failure(Code.POLICY_ROLLBACK),
}


def _amd(table: tuple[str, ...], evidence: Callable[..., Any]) -> dict[str, Failure]:
    """SEV-SNP, by itself or under Azure's paravisor; `evidence` puts fields of the report where the false vendor takes them."""
    tcb = {"boot_loader": 255, "tee": 0, "snp": 0, "microcode": 0}
    return {
        REVOKED: given(Code.X509_REVOKED, crl=MILAN.crl(at=NOW, revoked=(MILAN.serial_number("ask"),))),
        EXPIRED: later(Code.X509_CRL_EXPIRED, days=30),
        NO_LIST: given(Code.X509_CRL_MISSING, crl=False),
        NO_COLLATERAL: given(Code.X509_MISSING, vcek=None),
        DEBUG: said(Code.SNP_DEBUG, **evidence(policy=0x30000 | 1 << 19)),
        OLD: wants(Code.SNP_MINIMUM_REPORTED_TCB, *table, minimum_tcb={"Milan": tcb}),
        SIGNATURE: said(Code.SNP_SIGNATURE, **evidence(edited={"measurement": bytes(48)})),
    }


def _intel(kind: str, evidence: Callable[..., Any]) -> dict[str, Failure]:
    """SGX and TDX, by itself or under Azure's paravisor."""
    vendor = LAB.machines[kind]
    old = intel.level("OutOfDate", tdx=(5, 0, 2, *(0,) * 13) if kind == "tdx" else None, advisories=("INTEL-SA-00001",))
    return {
        REVOKED: given(Code.X509_REVOKED, root_crl=intel.crl("root", at=NOW, revoked=(intel.serial_number("platform"),))),
        EXPIRED: later(Code.X509_CRL_EXPIRED, days=30),
        NO_LIST: given(Code.X509_CRL_MISSING, pck_crl=None),
        NO_COLLATERAL: given(Code.DCAP_COLLATERAL_MISSING, tcb_info=None),
        OLD: given(Code.DCAP_TCB_STATUS, tcb_info=intel.tcb_info(vendor.kind, at=NOW, tcbLevels=[old])),
        SIGNATURE: said(Code.DCAP_SIGNATURE, **evidence(key=intel.key_of("another"))),
    }


def _aws(item: str, register: str) -> dict[str, Failure]:
    return {
        EXPIRED: later(Code.X509_EXPIRED, hours=4),
        AGE: replace(wants(Code.NITRO_AGE, maximum_age_minutes=10), after=timedelta(minutes=30)),
        OTHER: wants(Code.NITRO_PCR, pcrs={register: [ZERO48]}),
        SIGNATURE: said(Code.COSE_SIGNATURE, message={"key": intel.key_of("another")}),
        CUT: Failure(Code.CBOR_MALFORMED, edit=cut(item)),
    }


def _statuses(count: int, liar: int) -> bytes:
    """Of all devices' authorities, in which those of one are revoked."""
    states = (ocsp.OCSPCertStatus.REVOKED if index == liar else ocsp.OCSPCertStatus.GOOD for index in range(count))
    found = [gpu.ocsp(which=(1,), state=state) + gpu.ocsp(which=(2, 3)) for gpu, state in zip(LAB.gpus, states, strict=False)]
    return b"".join(found) + LAB.gpus[0].rim_ocsp()


def _devices(count: int) -> dict[str, Failure]:
    """GPUs beside a TEE; the last one lies. Collateral of the first serves those behind it that bring none."""
    last = count - 1
    return {
        REVOKED: _of(last, given(Code.NVIDIA_REVOKED, ocsp=_statuses(count, last))),
        EXPIRED: later(Code.NVIDIA_OCSP_STALE, days=2),
        NO_LIST: Failure(Code.NVIDIA_OCSP, {"endorsements": {"ocsp": None}, "liar": "nvidia"}),
        NO_COLLATERAL: _of(0, given(Code.NVIDIA_RIM_MISSING, rim_driver=None)),
        OTHER: _of(last, said(Code.NVIDIA_MEASUREMENT, measurements={8: bytes(48)})),
        SIGNATURE: _of(last, said(Code.NVIDIA_SIGNATURE, key=nvidia.key_of("another"))),
        CUT: Failure(Code.NVIDIA_SPDM, edit=cut(f"nvidia-gpu-{last}")),
    }


def _of(device: int, failure: Failure) -> Failure:
    return replace(failure, lies={**failure.lies, "liar": f"nvidia {device}"})


def _tpm() -> dict[str, Failure]:
    return {
        REVOKED: given(Code.X509_REVOKED, crl=GOOGLE.crl(at=NOW, revoked=(2,))),
        EXPIRED: later(Code.X509_CRL_EXPIRED, days=30),
        NO_LIST: given(Code.X509_CRL_MISSING, crl=False),
        NO_COLLATERAL: given(Code.X509_MISSING, ak_cert=None),
        OTHER: wants(Code.TPM_PCR, pcrs={"4": [ZERO32]}),
        SIGNATURE: said(Code.TPM_SIGNATURE, key=intel.key_of("another")),
        CUT: Failure(Code.TPM_STRUCTURE, edit=cut("tpm-attest")),
        PART: Failure(Code.EVIDENCE_MISSING, edit=without("tpm-signature")),
    }


def _under(**fields: Any) -> dict[str, Any]:
    """Where Azure's false VMs take fields of their hardware."""
    return {"hardware": fields}


def _azure(item: str) -> dict[str, Failure]:
    return {OTHER: wants(Code.TPM_PCR, pcrs={"4": [ZERO32]}), CUT: Failure(Code.AZURE_HCL, edit=cut(item))}


# --- the table --------------------------------------------------------------------------------------------------------------------

OWN: Mapping[str, Mapping[str, Failure]] = {
    "snp": _amd((), dict)
    | {OTHER: wants(Code.SNP_MEASUREMENT, measurements=[ZERO48]), CUT: Failure(Code.SNP_SIZE, edit=cut("sev-snp-report"))},
    "sgx": _intel("sgx", dict)
    | {
        OTHER: wants(Code.SGX_MR_ENCLAVE, mr_enclaves=[ZERO32]),
        DEBUG: said(Code.SGX_DEBUG, flags=0x7),
        CUT: Failure(Code.DCAP_SIZE, edit=cut("sgx-quote")),
    },
    "tdx": _intel("tdx", dict)
    | {
        OTHER: wants(Code.TDX_MR_TD, mr_tds=[ZERO48]),
        DEBUG: said(Code.TDX_DEBUG, td_attributes=1 << 28 | 1),
        CUT: Failure(Code.DCAP_SIZE, edit=cut("tdx-quote")),
    },
    "nitro": _aws("nitro-document", "0") | {DEBUG: said(Code.NITRO_DEBUG, pcrs={index: bytes(48) for index in range(16)})},
    "nitrotpm": _aws("nitrotpm-document", "4"),
    "tpm": _tpm() | {VENDOR: Failure(Code.X509_MISSING, policy=REAL)},  # a root does not come along, so none can be called false
    "az-snp-vtpm": _amd(("snp",), _under)
    | _azure("az-snp-hcl-report")
    | {PART: Failure(Code.EVIDENCE_MISSING, edit=without("az-snp-tpm-signature"))},
    "az-tdx-vtpm": _intel("tdx", _under)
    | _azure("az-tdx-hcl-report")
    | {
        DEBUG: said(Code.TDX_DEBUG, hardware={"td_attributes": 1 << 28 | 1}),
        PART: Failure(Code.AZURE_TDREPORT, edit=without("az-tdx-td-quote")),
    },
    "cca": {
        OTHER: wants(Code.CCA_RIM, rims=[ZERO48]),
        DEBUG: said(Code.CCA_LIFECYCLE, platform={2395: 0x4000}),
        OLD: wants(Code.CCA_COMPONENT, firmware=[ZERO32]),
        SIGNATURE: said(Code.COSE_SIGNATURE, platform_message={"key": intel.key_of("another")}),
        CUT: Failure(Code.CBOR_MALFORMED, edit=cut("cca-token")),
        VENDOR: Failure(Code.POLICY_SIMULATED, policy=REAL),  # the policy itself pins that platform's key
    },
    "snp+nvidia": _devices(1)
    | {
        OLD: wants(Code.NVIDIA_DRIVER, driver_versions=["999.1.2"]),
        PART: Failure(Code.BINDING_MISMATCH, edit=without("nvidia-gpu-0")),
    },
    "snp+tpm": _tpm() | {PART: Failure(Code.POLICY_COMPOSITE, edit=without("sev-snp-report"))},
    "tdx+nvidia+nvidia+tpm": _devices(2)
    | {OTHER: _tpm()[OTHER], PART: Failure(Code.BINDING_MISMATCH, edit=without("nvidia-gpu-1"))},
}
_ONE = {PART: "the evidence is one item"}
_LISTS = dict.fromkeys((REVOKED, AGE, NO_LIST), "nobody publishes lists for these keys")
_AWS = {
    **{row: why for row, why in _LISTS.items() if row != AGE},
    **_ONE,
    NO_COLLATERAL: "the evidence carries its whole chain",
    OLD: "AWS tells no versions",
}
_TPM = {DEBUG: "a TPM does not say", OLD: "clouds tell no versions"}
NOT: Mapping[str, Mapping[str, str]] = {
    "snp": _ONE,
    "sgx": _ONE,
    "tdx": _ONE,
    "nitro": _AWS,
    "nitrotpm": {**_AWS, DEBUG: "there is no such mode"},
    "tpm": _TPM,
    "cca": {**_LISTS, **_ONE, NO_COLLATERAL: "the policy pins the key", EXPIRED: "tokens and keys name no end"},
    "snp+nvidia": {DEBUG: "a device does not say"},
    "snp+tpm": _TPM,
    "tdx+nvidia+nvidia+tpm": {DEBUG: "a device does not say", OLD: "as snp+nvidia"},
}


def cell(kind: str, row: str) -> Failure | None:
    """What fails there; None where the kind cannot fail so."""
    if row in NOT.get(kind, {}):
        return None
    if row == UNLISTED:
        listed = "sgx" if kind != "sgx" else "nitro"
        return Failure(Code.POLICY_TEE, policy=lambda policy: policy.update(accept=members(listed)["accept"]))
    return {**EVERY, **OWN[kind]}[row]


CELLS = {(kind, row): found for kind in KINDS for row in ROWS if (found := cell(kind, row)) is not None}
assert set(OWN) == set(KINDS) >= set(SINGLE)
