"""Every error and verdict code, once. `spec/codes.json` is generated from here (`scripts/spec_codes.py`) for the other SDKs.

A code is `area.reason`. Codes are never renamed or reused; a new cause gets a new code.
"""

from enum import Enum, IntEnum, StrEnum
from typing import Self


class Remedy(StrEnum):
    """What the reader of an error should do."""

    FIX = "fix the input or the call"
    RETRY = "retry; if it persists, tell the operator"
    STOP = "stop: do not send anything to this node"
    UPDATE = "update confide, the policy or the collateral"


class Exit(IntEnum):
    """Exit codes of the command line (docs/reference/exit-codes.md)."""

    OK = 0
    INTERNAL = 1
    MISUSE = 2
    EVIDENCE = 3
    COLLATERAL = 4
    POLICY = 5
    TRANSPORT = 6
    CHANNEL = 7
    RECEIPT = 8
    PACKAGE = 9
    ENGINE = 10


class Code(Enum):
    """`NAME = (code, exit, remedy, meaning)`; the value of a member is its code string."""

    exit: Exit
    remedy: Remedy
    meaning: str

    def __new__(cls, value: str, exit_code: Exit, remedy: Remedy, meaning: str) -> Self:
        member = object.__new__(cls)
        member._value_ = value
        member.exit, member.remedy, member.meaning = exit_code, remedy, meaning
        return member

    @property
    def area(self) -> str:
        """The part before the dot."""
        return str(self.value).split(".", 1)[0]

    # json: strict JSON (formats/strictjson.py)
    JSON_TOO_LARGE = ("json.too_large", Exit.MISUSE, Remedy.FIX, "the JSON text exceeds its bound")
    JSON_MALFORMED = ("json.malformed", Exit.MISUSE, Remedy.FIX, "the bytes are not strict JSON")
    JSON_DUPLICATE_MEMBER = ("json.duplicate_member", Exit.MISUSE, Remedy.FIX, "a JSON member occurs twice")
    JSON_SHAPE = ("json.shape", Exit.MISUSE, Remedy.FIX, "the JSON members are not those of the format")
    JSON_BASE64 = ("json.base64", Exit.MISUSE, Remedy.FIX, "a string is not canonical base 64")
    JSON_TIME = ("json.time", Exit.MISUSE, Remedy.FIX, "a string is not a UTC time such as 2026-11-25T00:00:00Z")

    # toml: bounded TOML (formats/toml.py)
    TOML_MALFORMED = ("toml.malformed", Exit.MISUSE, Remedy.FIX, "the bytes are not TOML within its bounds")

    # merkle: RFC 9162 trees (formats/merkle.py)
    MERKLE_INCLUSION = ("merkle.inclusion", Exit.RECEIPT, Remedy.STOP, "an inclusion proof does not lead to the root")
    MERKLE_CONSISTENCY = ("merkle.consistency", Exit.RECEIPT, Remedy.STOP, "a consistency proof does not join the two roots")

    # dsse: signed envelopes (formats/dsse.py)
    DSSE_MALFORMED = ("dsse.malformed", Exit.MISUSE, Remedy.FIX, "the bytes are not a DSSE envelope")
    DSSE_PAYLOAD_TYPE = ("dsse.payload_type", Exit.MISUSE, Remedy.STOP, "the envelope holds another type of payload")
    DSSE_SIGNATURE = ("dsse.signature", Exit.EVIDENCE, Remedy.STOP, "no signature of an accepted key verifies")

    # evidence: what a verifier is given (attest/verifiers.py)
    EVIDENCE_KIND = ("evidence.kind", Exit.EVIDENCE, Remedy.UPDATE, "there is no verifier for this kind of evidence")
    EVIDENCE_MISSING = ("evidence.missing", Exit.EVIDENCE, Remedy.STOP, "the evidence lacks a part that its kind needs")
    EVIDENCE_CLOCK = ("evidence.clock", Exit.MISUSE, Remedy.FIX, "the verification time has no time zone")

    # x509: certificates and revocation lists (attest/x509)
    X509_MALFORMED = ("x509.malformed", Exit.COLLATERAL, Remedy.UPDATE, "the bytes are not an X.509 certificate or revocation list")
    X509_TOO_LARGE = ("x509.too_large", Exit.COLLATERAL, Remedy.UPDATE, "a certificate or revocation list exceeds its bound")
    X509_MISSING = ("x509.missing", Exit.COLLATERAL, Remedy.UPDATE, "a certificate of the vendor's chain is missing")
    X509_ROOT = ("x509.root", Exit.EVIDENCE, Remedy.STOP, "the chain does not end in a pinned vendor root")
    X509_REPEATED = ("x509.repeated", Exit.EVIDENCE, Remedy.STOP, "a certificate occurs twice in a chain")
    X509_ISSUER = (
        "x509.issuer",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the issuer of a certificate is not the subject of the certificate above it",
    )
    X509_ISSUER_KEY = ("x509.issuer_key", Exit.EVIDENCE, Remedy.STOP, "an issuing key is not of the vendor's algorithm and size")
    X509_SIGNATURE_ALGORITHM = (
        "x509.signature_algorithm",
        Exit.EVIDENCE,
        Remedy.STOP,
        "a certificate is not signed with the vendor's algorithm and parameters",
    )
    X509_SIGNATURE = ("x509.signature", Exit.EVIDENCE, Remedy.STOP, "the signature of a certificate does not verify")
    X509_NOT_YET_VALID = ("x509.not_yet_valid", Exit.COLLATERAL, Remedy.UPDATE, "a certificate is not valid yet")
    X509_EXPIRED = ("x509.expired", Exit.COLLATERAL, Remedy.UPDATE, "a certificate has expired")
    X509_EXTENSION = (
        "x509.extension",
        Exit.EVIDENCE,
        Remedy.STOP,
        "a certificate has malformed, repeated or unknown critical extensions",
    )
    X509_BASIC_CONSTRAINTS = (
        "x509.basic_constraints",
        Exit.EVIDENCE,
        Remedy.STOP,
        "basicConstraints do not allow this place in the chain",
    )
    X509_KEY_USAGE = ("x509.key_usage", Exit.EVIDENCE, Remedy.STOP, "keyUsage does not allow this use of the key")
    X509_REVOKED = ("x509.revoked", Exit.EVIDENCE, Remedy.STOP, "the vendor has revoked a certificate of the chain")
    X509_CRL_MISSING = ("x509.crl_missing", Exit.COLLATERAL, Remedy.UPDATE, "no revocation list of the vendor's root is at hand")
    X509_CRL_ALGORITHM = (
        "x509.crl_algorithm",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "a revocation list is not signed with the vendor's algorithm and parameters",
    )
    X509_CRL_SIGNATURE = (
        "x509.crl_signature",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "the signature of a revocation list does not verify",
    )
    X509_CRL_EXTENSION = (
        "x509.crl_extension",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "a revocation list has malformed or unknown critical extensions",
    )
    X509_CRL_NOT_YET_VALID = ("x509.crl_not_yet_valid", Exit.COLLATERAL, Remedy.UPDATE, "a revocation list is not valid yet")
    X509_CRL_EXPIRED = ("x509.crl_expired", Exit.COLLATERAL, Remedy.UPDATE, "a revocation list is past its nextUpdate, or has none")
    X509_CRL_AGE = ("x509.crl_age", Exit.COLLATERAL, Remedy.UPDATE, "a revocation list is older than the policy allows")

    # collateral: vendors' services and what is kept of their answers (collateral/)
    COLLATERAL_SERVICE = ("collateral.service", Exit.MISUSE, Remedy.FIX, "the address of a vendor's service is not one")
    COLLATERAL_UNREACHABLE = ("collateral.unreachable", Exit.COLLATERAL, Remedy.RETRY, "a vendor's service does not answer")
    COLLATERAL_REFUSED = ("collateral.refused", Exit.COLLATERAL, Remedy.RETRY, "a vendor's service refuses the question")
    COLLATERAL_TOO_LARGE = ("collateral.too_large", Exit.COLLATERAL, Remedy.RETRY, "an answer of a service exceeds its bound")
    COLLATERAL_ANSWER = ("collateral.answer", Exit.COLLATERAL, Remedy.RETRY, "an answer of a service is not what it documents")
    COLLATERAL_UNKNOWN_PLATFORM = (
        "collateral.unknown_platform",
        Exit.COLLATERAL,
        Remedy.FIX,
        "the evidence does not say what to ask the vendor for",
    )
    COLLATERAL_CACHE = ("collateral.cache", Exit.MISUSE, Remedy.FIX, "the folder of kept answers cannot be used")

    # snp: AMD SEV-SNP (attest/snp/)
    SNP_SIZE = ("snp.size", Exit.EVIDENCE, Remedy.STOP, "the attestation report is not 1184 bytes")
    SNP_VERSION = ("snp.version", Exit.EVIDENCE, Remedy.STOP, "the attestation report has an unknown VERSION")
    SNP_SIGNATURE_ALGO = ("snp.signature_algo", Exit.EVIDENCE, Remedy.STOP, "SIGNATURE_ALGO is not ECDSA P-384 with SHA-384")
    SNP_KEY_INFO = ("snp.key_info", Exit.EVIDENCE, Remedy.STOP, "reserved bits beside SIGNING_KEY are set")
    SNP_SIGNING_KEY = ("snp.signing_key", Exit.EVIDENCE, Remedy.STOP, "SIGNING_KEY does not agree with the endorsement certificate")
    SNP_SIGNATURE_PADDING = ("snp.signature_padding", Exit.EVIDENCE, Remedy.STOP, "the reserved bytes of SIGNATURE are not zero")
    SNP_SIGNATURE_RANGE = ("snp.signature_range", Exit.EVIDENCE, Remedy.STOP, "R or S is outside the order of P-384")
    SNP_SIGNATURE = ("snp.signature", Exit.EVIDENCE, Remedy.STOP, "SIGNATURE does not verify with the endorsed key")
    SNP_ENDORSED_KEY = ("snp.endorsed_key", Exit.EVIDENCE, Remedy.STOP, "the endorsement certificate does not hold a P-384 key")
    SNP_SUBJECT = (
        "snp.subject",
        Exit.EVIDENCE,
        Remedy.STOP,
        "a certificate's subject does not agree with the product of its chain",
    )
    SNP_EXTENSION = (
        "snp.extension",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the endorsement certificate lacks an AMD extension, or it is malformed",
    )
    SNP_STRUCT_VERSION = ("snp.struct_version", Exit.EVIDENCE, Remedy.STOP, "structVersion is unknown")
    SNP_PRODUCT_NAME = ("snp.product_name", Exit.EVIDENCE, Remedy.STOP, "productName does not agree with the product of the chain")
    SNP_CPUID = ("snp.cpuid", Exit.EVIDENCE, Remedy.STOP, "the CPUID of the report does not agree with the product of the chain")
    SNP_REPORTED_TCB = ("snp.reported_tcb", Exit.EVIDENCE, Remedy.STOP, "REPORTED_TCB is not that of the endorsement certificate")
    SNP_HWID = ("snp.hwid", Exit.EVIDENCE, Remedy.STOP, "CHIP_ID is not the hwID of the endorsement certificate")
    SNP_CSP_ID = ("snp.csp_id", Exit.EVIDENCE, Remedy.STOP, "cspID stands in a VCEK, or is missing in a VLEK")
    SNP_PRODUCT = ("snp.product", Exit.POLICY, Remedy.STOP, "the policy does not allow this product")
    SNP_SIGNING_KEY_TYPE = (
        "snp.signing_key_type",
        Exit.POLICY,
        Remedy.STOP,
        "the policy does not allow this kind of endorsement key",
    )
    SNP_CSP_ID_UNKNOWN = ("snp.csp_id_unknown", Exit.POLICY, Remedy.STOP, "the policy does not allow the provider named by cspID")
    SNP_MEASUREMENT = ("snp.measurement", Exit.POLICY, Remedy.STOP, "the policy does not list MEASUREMENT")
    SNP_MINIMUM_REPORTED_TCB = ("snp.minimum_reported_tcb", Exit.POLICY, Remedy.STOP, "REPORTED_TCB is below the minimum")
    SNP_MINIMUM_COMMITTED_TCB = ("snp.minimum_committed_tcb", Exit.POLICY, Remedy.STOP, "COMMITTED_TCB is below the minimum")
    SNP_MINIMUM_TCB_MISSING = (
        "snp.minimum_tcb_missing",
        Exit.POLICY,
        Remedy.STOP,
        "the policy has no minimum TCB for this product",
    )
    SNP_CURRENT_TCB = ("snp.current_tcb", Exit.EVIDENCE, Remedy.STOP, "CURRENT_TCB is below COMMITTED_TCB")
    SNP_CURRENT_VERSION = (
        "snp.current_version",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the current firmware version is below the committed one",
    )
    SNP_MINIMUM_ABI = ("snp.minimum_abi", Exit.POLICY, Remedy.STOP, "the committed firmware version is below the minimum")
    SNP_VMPL = ("snp.vmpl", Exit.POLICY, Remedy.STOP, "VMPL is above the allowed one")
    SNP_POLICY = ("snp.policy", Exit.EVIDENCE, Remedy.STOP, "POLICY has reserved bits of unknown meaning, or bit 17 is clear")
    SNP_DEBUG = ("snp.debug", Exit.EVIDENCE, Remedy.STOP, "POLICY allows debugging")
    SNP_MIGRATION = ("snp.migration", Exit.EVIDENCE, Remedy.STOP, "POLICY allows a migration agent")
    SNP_REPORT_ID_MA = ("snp.report_id_ma", Exit.EVIDENCE, Remedy.STOP, "REPORT_ID_MA names a migration agent")
    SNP_SMT = ("snp.smt", Exit.POLICY, Remedy.STOP, "POLICY allows SMT")
    SNP_CXL = ("snp.cxl", Exit.POLICY, Remedy.STOP, "the guest's policy allows memory or devices behind CXL")
    SNP_GUEST_POLICY = ("snp.guest_policy", Exit.POLICY, Remedy.STOP, "the guest did not ask for a protection that is required")
    SNP_MIT_VECTOR = ("snp.mit_vector", Exit.POLICY, Remedy.STOP, "a required mitigation is not in place")
    SNP_PLATFORM_INFO = ("snp.platform_info", Exit.POLICY, Remedy.STOP, "PLATFORM_INFO lacks a required bit")
    SNP_GUEST_SVN = ("snp.guest_svn", Exit.POLICY, Remedy.STOP, "GUEST_SVN is below the minimum")
    SNP_HOST_DATA = ("snp.host_data", Exit.POLICY, Remedy.STOP, "the policy does not list HOST_DATA")
    SNP_ID_KEY_DIGEST = ("snp.id_key_digest", Exit.POLICY, Remedy.STOP, "the policy does not list ID_KEY_DIGEST")
    SNP_AUTHOR_KEY_DIGEST = (
        "snp.author_key_digest",
        Exit.POLICY,
        Remedy.STOP,
        "AUTHOR_KEY_EN is clear, or the policy does not list AUTHOR_KEY_DIGEST",
    )
    SNP_FAMILY_ID = ("snp.family_id", Exit.POLICY, Remedy.STOP, "the policy does not list FAMILY_ID")
    SNP_IMAGE_ID = ("snp.image_id", Exit.POLICY, Remedy.STOP, "the policy does not list IMAGE_ID")
    SNP_REPORT_ID = ("snp.report_id", Exit.POLICY, Remedy.STOP, "the policy does not list REPORT_ID")
    SNP_CHIP_ID = ("snp.chip_id", Exit.POLICY, Remedy.STOP, "the policy does not list CHIP_ID, or it is masked")

    # dcap, sgx, tdx: Intel quotes (attest/dcap/, attest/sgx/, attest/tdx/, attest/eventlog/)
    DCAP_SIZE = ("dcap.size", Exit.EVIDENCE, Remedy.STOP, "a DCAP quote or a part of it is shorter or longer than its lengths say")
    DCAP_VERSION = ("dcap.version", Exit.EVIDENCE, Remedy.STOP, "the quote has an unknown version")
    DCAP_TEE_TYPE = ("dcap.tee_type", Exit.EVIDENCE, Remedy.STOP, "the quote is of another TEE")
    DCAP_KEY_TYPE = ("dcap.key_type", Exit.EVIDENCE, Remedy.STOP, "the attestation key is not ECDSA P-256")
    DCAP_QE_VENDOR = ("dcap.qe_vendor", Exit.EVIDENCE, Remedy.STOP, "the quoting enclave is not Intel's")
    DCAP_BODY_TYPE = ("dcap.body_type", Exit.EVIDENCE, Remedy.STOP, "type and size of the body do not agree, or are unknown")
    DCAP_CERTIFICATION = ("dcap.certification", Exit.EVIDENCE, Remedy.STOP, "the certification data leads to no PCK certificate")
    DCAP_TRAILING = ("dcap.trailing", Exit.EVIDENCE, Remedy.STOP, "bytes that belong to nothing")
    DCAP_SUBJECT = ("dcap.subject", Exit.EVIDENCE, Remedy.STOP, "a certificate is not of the name that Intel gives it")
    DCAP_PCK_EXTENSION = (
        "dcap.pck_extension",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the SGX extension of the PCK certificate is missing or malformed",
    )
    DCAP_QE_SIGNATURE = (
        "dcap.qe_signature",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the QE report is not signed by the PCK certificate's key",
    )
    DCAP_QE_REPORT_DATA = (
        "dcap.qe_report_data",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the QE report does not vouch for the attestation key",
    )
    DCAP_SIGNATURE = ("dcap.signature", Exit.EVIDENCE, Remedy.STOP, "the quote is not signed by its attestation key")
    DCAP_COLLATERAL = ("dcap.collateral", Exit.COLLATERAL, Remedy.UPDATE, "TCB info or QE identity is malformed")
    DCAP_COLLATERAL_VERSION = (
        "dcap.collateral_version",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "TCB info or QE identity is of another version",
    )
    DCAP_COLLATERAL_MISSING = (
        "dcap.collateral_missing",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "TCB info, QE identity or their issuers are missing",
    )
    DCAP_COLLATERAL_ID = ("dcap.collateral_id", Exit.COLLATERAL, Remedy.UPDATE, "TCB info or QE identity is for another TEE")
    DCAP_COLLATERAL_SIGNATURE = (
        "dcap.collateral_signature",
        Exit.EVIDENCE,
        Remedy.STOP,
        "TCB info or QE identity is not signed by Intel",
    )
    DCAP_COLLATERAL_EARLY = ("dcap.collateral_early", Exit.COLLATERAL, Remedy.UPDATE, "TCB info or QE identity is not issued yet")
    DCAP_COLLATERAL_EXPIRED = (
        "dcap.collateral_expired",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "TCB info or QE identity is past its nextUpdate",
    )
    DCAP_FMSPC = ("dcap.fmspc", Exit.COLLATERAL, Remedy.UPDATE, "the TCB info is about another kind of platform")
    DCAP_PCE_ID = ("dcap.pce_id", Exit.COLLATERAL, Remedy.UPDATE, "the TCB info is about another provisioning enclave")
    DCAP_QE_IDENTITY = ("dcap.qe_identity", Exit.EVIDENCE, Remedy.STOP, "the quoting enclave is not the one that Intel describes")
    DCAP_TCB_UNKNOWN = ("dcap.tcb_unknown", Exit.COLLATERAL, Remedy.UPDATE, "nothing says whether the platform is up to date")
    DCAP_TCB_STATUS = ("dcap.tcb_status", Exit.POLICY, Remedy.STOP, "the policy does not accept the TCB status")
    DCAP_ADVISORY = ("dcap.advisory", Exit.POLICY, Remedy.STOP, "the policy does not accept an advisory that applies")
    DCAP_EVALUATION_NUMBER = (
        "dcap.evaluation_number",
        Exit.POLICY,
        Remedy.UPDATE,
        "the TCB evaluation number is below the minimum",
    )
    DCAP_PLATFORM = ("dcap.platform", Exit.POLICY, Remedy.STOP, "the policy does not list this platform")
    DCAP_FMSPC_UNLISTED = ("dcap.fmspc_unlisted", Exit.POLICY, Remedy.STOP, "the policy does not list this kind of platform")
    DCAP_SMT = ("dcap.smt", Exit.POLICY, Remedy.STOP, "hyperthreading is, or may be, enabled")
    DCAP_DYNAMIC_PLATFORM = (
        "dcap.dynamic_platform",
        Exit.POLICY,
        Remedy.STOP,
        "the platform can, or may, gain processors while it runs",
    )
    DCAP_CACHED_KEYS = ("dcap.cached_keys", Exit.POLICY, Remedy.STOP, "the vendor keeps, or may keep, the platform's root keys")

    SGX_DEBUG = ("sgx.debug", Exit.EVIDENCE, Remedy.STOP, "the enclave may be debugged")
    SGX_INIT = ("sgx.init", Exit.EVIDENCE, Remedy.STOP, "ATTRIBUTES.INIT is clear, or a bit of unknown meaning is set")
    SGX_MR_ENCLAVE = ("sgx.mr_enclave", Exit.POLICY, Remedy.STOP, "the policy does not list MRENCLAVE")
    SGX_MR_SIGNER = ("sgx.mr_signer", Exit.POLICY, Remedy.STOP, "the policy does not list MRSIGNER")
    SGX_ISV_PROD_ID = ("sgx.isv_prod_id", Exit.POLICY, Remedy.STOP, "the policy does not list ISVPRODID")
    SGX_ISV_SVN = ("sgx.isv_svn", Exit.POLICY, Remedy.STOP, "ISVSVN is below the minimum")
    SGX_CONFIG_ID = ("sgx.config_id", Exit.POLICY, Remedy.STOP, "the policy does not list CONFIGID")
    SGX_CONFIG_SVN = ("sgx.config_svn", Exit.POLICY, Remedy.STOP, "CONFIGSVN is below the minimum")
    SGX_EXT_PROD_ID = ("sgx.ext_prod_id", Exit.POLICY, Remedy.STOP, "the policy does not list ISVEXTPRODID")
    SGX_FAMILY_ID = ("sgx.family_id", Exit.POLICY, Remedy.STOP, "the policy does not list ISVFAMILYID")
    SGX_PROVISION_KEY = ("sgx.provision_key", Exit.POLICY, Remedy.STOP, "the enclave may derive provisioning or launch keys")
    SGX_ATTRIBUTES = ("sgx.attributes", Exit.POLICY, Remedy.STOP, "ATTRIBUTES are not the accepted ones under the mask")
    SGX_MISC_SELECT = ("sgx.misc_select", Exit.POLICY, Remedy.STOP, "MISCSELECT is not the accepted one")
    SGX_XFRM = ("sgx.xfrm", Exit.POLICY, Remedy.STOP, "ATTRIBUTES.XFRM is not an accepted one")

    TDX_DEBUG = ("tdx.debug", Exit.EVIDENCE, Remedy.STOP, "the TD is under debug or profiling")
    TDX_ATTRIBUTES = ("tdx.attributes", Exit.EVIDENCE, Remedy.STOP, "TDATTRIBUTES has bits of unknown meaning")
    TDX_MIGRATABLE = ("tdx.migratable", Exit.EVIDENCE, Remedy.STOP, "the TD may be migrated")
    TDX_SERVICE_TD = ("tdx.service_td", Exit.POLICY, Remedy.STOP, "a service TD is bound that the policy does not list")
    TDX_SEPT_VE = ("tdx.sept_ve", Exit.POLICY, Remedy.STOP, "SEPT_VE_DISABLE is clear")
    TDX_XFAM = ("tdx.xfam", Exit.EVIDENCE, Remedy.STOP, "XFAM lacks mandatory features or names unknown ones")
    TDX_SEAM_ATTRIBUTES = ("tdx.seam_attributes", Exit.EVIDENCE, Remedy.STOP, "SEAMATTRIBUTES is not zero")
    TDX_MR_SIGNER_SEAM = ("tdx.mr_signer_seam", Exit.EVIDENCE, Remedy.STOP, "MRSIGNERSEAM is not Intel's")
    TDX_MR_SEAM = ("tdx.mr_seam", Exit.POLICY, Remedy.STOP, "the policy does not list MRSEAM")
    TDX_MR_TD = ("tdx.mr_td", Exit.POLICY, Remedy.STOP, "the policy does not list MRTD")
    TDX_RTMR = ("tdx.rtmr", Exit.POLICY, Remedy.STOP, "the policy does not list a runtime measurement register")
    TDX_CONFIG = ("tdx.config", Exit.POLICY, Remedy.STOP, "the policy does not list MRCONFIGID, MROWNER or MROWNERCONFIG")
    TDX_TEE_TCB_SVN = ("tdx.tee_tcb_svn", Exit.POLICY, Remedy.STOP, "TEE_TCB_SVN is below the minimum")
    TDX_EVENT_LOG = ("tdx.event_log", Exit.EVIDENCE, Remedy.STOP, "the event log does not lead to the measurement registers")
    TDX_EVENT = ("tdx.event", Exit.POLICY, Remedy.STOP, "the policy does not list a measured event, or no event log proves them")
    TDX_SECURE_BOOT = ("tdx.secure_boot", Exit.POLICY, Remedy.STOP, "no event log proves that Secure Boot is on")
    TDX_VMID = ("tdx.vmid", Exit.POLICY, Remedy.STOP, "the report is of an inner VM of a partitioned TD")

    EVENTLOG_MALFORMED = ("eventlog.malformed", Exit.EVIDENCE, Remedy.STOP, "the event log does not decode")
    EVENTLOG_TOO_LARGE = ("eventlog.too_large", Exit.EVIDENCE, Remedy.STOP, "the event log exceeds its bounds")
    EVENTLOG_ALGORITHM = ("eventlog.algorithm", Exit.EVIDENCE, Remedy.STOP, "the event log has no digests of the wanted algorithm")
    EVENTLOG_CCEL = ("eventlog.ccel", Exit.EVIDENCE, Remedy.STOP, "the CCEL table does not decode")

    # cbor, cose, nitro, cca: signed CBOR (attest/cbor.py, attest/cose.py, attest/nitro/, attest/cca/)
    CBOR_MALFORMED = ("cbor.malformed", Exit.EVIDENCE, Remedy.STOP, "the bytes are not the CBOR that the format wants")
    CBOR_TOO_LARGE = ("cbor.too_large", Exit.EVIDENCE, Remedy.STOP, "the CBOR exceeds its bounds")
    COSE_SHAPE = ("cose.shape", Exit.EVIDENCE, Remedy.STOP, "the bytes are no COSE_Sign1")
    COSE_ALGORITHM = (
        "cose.algorithm",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the protected header names another algorithm, or more than one",
    )
    COSE_SIGNATURE = ("cose.signature", Exit.EVIDENCE, Remedy.STOP, "the COSE signature does not verify")

    NITRO_DOCUMENT = (
        "nitro.document",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the attestation document lacks members, or they are of another form",
    )
    NITRO_KIND = ("nitro.kind", Exit.EVIDENCE, Remedy.STOP, "the document is of the other kind: enclave or NitroTPM")
    NITRO_DIGEST = ("nitro.digest", Exit.EVIDENCE, Remedy.STOP, "the digest of the measurements is not SHA384")
    NITRO_TIMESTAMP = (
        "nitro.timestamp",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the document's time is outside its certificate's window, or in the future",
    )
    NITRO_AGE = ("nitro.age", Exit.POLICY, Remedy.STOP, "the document is older than the policy allows")
    NITRO_DEBUG = ("nitro.debug", Exit.EVIDENCE, Remedy.STOP, "the enclave runs in debug mode: its measurements are zero")
    NITRO_PCR = ("nitro.pcr", Exit.POLICY, Remedy.STOP, "the policy does not list a measurement")
    NITRO_PLATFORM = ("nitro.platform", Exit.POLICY, Remedy.STOP, "the policy does not list this instance")
    NITRO_REGION = ("nitro.region", Exit.POLICY, Remedy.STOP, "the policy does not list this region")

    CCA_TOKEN = ("cca.token", Exit.EVIDENCE, Remedy.STOP, "the token lacks claims, or they are of another form")
    CCA_PROFILE = ("cca.profile", Exit.EVIDENCE, Remedy.STOP, "the token is of an unknown profile")
    CCA_ANCHOR = ("cca.anchor", Exit.COLLATERAL, Remedy.UPDATE, "no key of the platform is at hand")
    CCA_BINDING = ("cca.binding", Exit.EVIDENCE, Remedy.STOP, "the platform token is about another realm key")
    CCA_LIFECYCLE = ("cca.lifecycle", Exit.EVIDENCE, Remedy.STOP, "the platform is not in a secured state")
    CCA_RIM = ("cca.rim", Exit.POLICY, Remedy.STOP, "the policy does not list the realm's initial measurement")
    CCA_REM = ("cca.rem", Exit.POLICY, Remedy.STOP, "the policy does not list an extensible measurement")
    CCA_PERSONALIZATION = (
        "cca.personalization",
        Exit.POLICY,
        Remedy.STOP,
        "the policy does not list the realm's personalization value",
    )
    CCA_IMPLEMENTATION = ("cca.implementation", Exit.POLICY, Remedy.STOP, "the policy does not list this implementation")
    CCA_INSTANCE = ("cca.instance", Exit.POLICY, Remedy.STOP, "the policy does not list this instance")
    CCA_PLATFORM_KEY = ("cca.platform_key", Exit.POLICY, Remedy.STOP, "the entry does not list the key of this platform")
    CCA_CONFIG = ("cca.config", Exit.POLICY, Remedy.STOP, "the policy does not list this configuration of the platform")
    CCA_MEMORY = ("cca.memory", Exit.POLICY, Remedy.STOP, "the realm has no memory encryption of its own")
    CCA_LIVE_FIRMWARE = ("cca.live_firmware", Exit.POLICY, Remedy.STOP, "the platform's firmware may change under the realm")
    CCA_DEVICES = ("cca.devices", Exit.POLICY, Remedy.STOP, "devices are assigned to the realm, which nobody looked at")
    CCA_COMPONENT = ("cca.component", Exit.POLICY, Remedy.STOP, "the policy does not list a component of the platform")

    # tpm, azure: quotes of TPMs, and Azure's confidential VMs (attest/tpm/, attest/azure/)
    TPM_STRUCTURE = ("tpm.structure", Exit.EVIDENCE, Remedy.STOP, "a TPM structure does not decode, or bytes are left over")
    TPM_MAGIC = ("tpm.magic", Exit.EVIDENCE, Remedy.STOP, "the structure was not made by a TPM, or is no quote")
    TPM_SCHEME = ("tpm.scheme", Exit.EVIDENCE, Remedy.STOP, "the signature scheme is not one of the accepted ones")
    TPM_KEY = ("tpm.key", Exit.EVIDENCE, Remedy.STOP, "the attestation key is of another kind, or not the certified one")
    TPM_ATTRIBUTES = ("tpm.attributes", Exit.EVIDENCE, Remedy.STOP, "the attestation key may sign what no TPM made, or leave it")
    TPM_SIGNATURE = ("tpm.signature", Exit.EVIDENCE, Remedy.STOP, "the quote is not signed by the attestation key")
    TPM_PCR_DIGEST = ("tpm.pcr_digest", Exit.EVIDENCE, Remedy.STOP, "the PCR values are not those that were quoted")
    TPM_SELECTION = ("tpm.selection", Exit.EVIDENCE, Remedy.STOP, "the quoted PCRs are not one bank with known values")
    TPM_EVENT_LOG = ("tpm.event_log", Exit.EVIDENCE, Remedy.STOP, "the event log does not lead to the quoted PCRs")
    TPM_PCR = ("tpm.pcr", Exit.POLICY, Remedy.STOP, "the policy does not list a PCR value")
    TPM_BANK = ("tpm.bank", Exit.POLICY, Remedy.STOP, "the quoted PCR bank is not an accepted one")
    TPM_HOST_TRUSTED = (
        "tpm.host_trusted",
        Exit.POLICY,
        Remedy.STOP,
        "the TPM belongs to the host, and the policy does not say that this is enough",
    )
    TPM_INSTANCE = ("tpm.instance", Exit.POLICY, Remedy.STOP, "the policy does not list this project, zone or instance")
    TPM_KEYSET = ("tpm.keyset", Exit.EVIDENCE, Remedy.STOP, "the keyset does not name the attestation key that signed the quote")
    TPM_USAGE = ("tpm.usage", Exit.EVIDENCE, Remedy.STOP, "the certificate is not one for a key of a TPM")
    TPM_EXTENSION = ("tpm.extension", Exit.EVIDENCE, Remedy.STOP, "the extension about the virtual machine does not decode")
    TPM_PRODUCTION = ("tpm.production", Exit.EVIDENCE, Remedy.STOP, "the certificate says that the TPM is not a production one")
    TPM_AUTHORITY = ("tpm.authority", Exit.POLICY, Remedy.STOP, "the policy does not list the cloud that vouches for the TPM")
    TPM_SECURE_BOOT = ("tpm.secure_boot", Exit.POLICY, Remedy.STOP, "the event log does not show that Secure Boot was on")
    TPM_TECHNOLOGY = ("tpm.technology", Exit.POLICY, Remedy.STOP, "the policy does not list what the firmware says of the memory")

    AZURE_HCL = ("azure.hcl", Exit.EVIDENCE, Remedy.STOP, "the HCL report does not decode, or is of another type")
    AZURE_RUNTIME = ("azure.runtime", Exit.EVIDENCE, Remedy.STOP, "the runtime data does not decode, or holds no attestation key")
    AZURE_BINDING = ("azure.binding", Exit.EVIDENCE, Remedy.STOP, "the hardware report does not cover the runtime data")
    AZURE_TDREPORT = (
        "azure.td_report",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the quote and the report of the TD are of different TDs, or no quote came",
    )
    AZURE_SECURE_BOOT = (
        "azure.secure_boot",
        Exit.POLICY,
        Remedy.STOP,
        "Secure Boot, the TPM or the console are not as the policy wants",
    )
    AZURE_VM_ID = ("azure.vm_id", Exit.POLICY, Remedy.STOP, "the policy does not list this virtual machine")
    AZURE_QUOTE = ("azure.quote", Exit.POLICY, Remedy.STOP, "no quote of the vTPM came: nothing is fresh, nothing says what booted")

    # nvidia: GPUs and switches (attest/nvidia/)
    NVIDIA_SPDM = ("nvidia.spdm", Exit.EVIDENCE, Remedy.STOP, "the SPDM request and response do not decode")
    NVIDIA_SIGNATURE = (
        "nvidia.signature",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the measurements are not signed by the device's certified key",
    )
    NVIDIA_CHAIN = ("nvidia.chain", Exit.EVIDENCE, Remedy.STOP, "the device's certificates are not a chain in order")
    NVIDIA_FWID = ("nvidia.fwid", Exit.EVIDENCE, Remedy.STOP, "the firmware that signs is not the one that was certified")
    NVIDIA_OCSP = (
        "nvidia.ocsp",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "an OCSP response is missing, malformed, or not by the issuer's responder",
    )
    NVIDIA_OCSP_STALE = ("nvidia.ocsp_stale", Exit.COLLATERAL, Remedy.UPDATE, "an OCSP response is not valid at this time")
    NVIDIA_REVOKED = ("nvidia.revoked", Exit.EVIDENCE, Remedy.STOP, "a certificate is revoked")
    NVIDIA_HOLD = ("nvidia.hold", Exit.EVIDENCE, Remedy.STOP, "a certificate is on hold")
    NVIDIA_XML = ("nvidia.xml", Exit.COLLATERAL, Remedy.UPDATE, "a reference manifest is not XML that this verifier reads")
    NVIDIA_RIM = ("nvidia.rim", Exit.COLLATERAL, Remedy.UPDATE, "a reference manifest lacks members, or they are of another form")
    NVIDIA_RIM_SIGNATURE = ("nvidia.rim_signature", Exit.EVIDENCE, Remedy.STOP, "a reference manifest is not signed by NVIDIA")
    NVIDIA_RIM_VERSION = ("nvidia.rim_version", Exit.EVIDENCE, Remedy.STOP, "a reference manifest is for other firmware")
    NVIDIA_RIM_MISSING = (
        "nvidia.rim_missing",
        Exit.COLLATERAL,
        Remedy.UPDATE,
        "no reference manifest for the device's firmware is at hand",
    )
    NVIDIA_MEASUREMENT = (
        "nvidia.measurement",
        Exit.EVIDENCE,
        Remedy.STOP,
        "a measurement is not one of NVIDIA's reference values",
    )
    NVIDIA_ARCHITECTURE = ("nvidia.architecture", Exit.POLICY, Remedy.STOP, "the policy does not list this kind of device")
    NVIDIA_DRIVER = ("nvidia.driver", Exit.POLICY, Remedy.STOP, "the policy does not list the driver version")
    NVIDIA_VBIOS = ("nvidia.vbios", Exit.POLICY, Remedy.STOP, "the policy does not list the VBIOS version")
    NVIDIA_DEVICE = ("nvidia.device", Exit.POLICY, Remedy.STOP, "the policy does not list this device")
    NVIDIA_MODE = ("nvidia.mode", Exit.POLICY, Remedy.STOP, "the device is not in the wanted confidential mode")

    # keyset, binding, document, admission (attest/)
    KEYSET_TOO_LARGE = ("keyset.too_large", Exit.EVIDENCE, Remedy.STOP, "the keyset exceeds its bound")
    KEYSET_MALFORMED = (
        "keyset.malformed",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the keyset is not strict JSON with the members of spec/02-keyset.md",
    )
    KEYSET_VERSION = ("keyset.version", Exit.EVIDENCE, Remedy.UPDATE, "the keyset has a version that this side does not speak")
    KEYSET_CRITICAL = (
        "keyset.critical",
        Exit.EVIDENCE,
        Remedy.UPDATE,
        "the keyset needs an extension that this side does not know",
    )
    KEYSET_KEY = ("keyset.key", Exit.EVIDENCE, Remedy.STOP, "a key in the keyset has the wrong length or algorithm")
    KEYSET_DUPLICATE = ("keyset.duplicate", Exit.EVIDENCE, Remedy.STOP, "the keyset lists a key, key id or name twice")
    KEYSET_NO_USABLE_KEY = (
        "keyset.no_usable_key",
        Exit.EVIDENCE,
        Remedy.UPDATE,
        "the keyset holds no key of a kind that this side can use",
    )
    KEYSET_WINDOW = ("keyset.window", Exit.EVIDENCE, Remedy.STOP, "the keyset ends before it begins")
    BINDING_LENGTH = (
        "binding.length",
        Exit.MISUSE,
        Remedy.FIX,
        "a nonce or nonce root is not 32 bytes, or their number is out of bounds",
    )
    BINDING_MISMATCH = (
        "binding.mismatch",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the evidence was not made for this keyset, nonce and device evidence",
    )
    DOCUMENT_TOO_LARGE = ("document.too_large", Exit.EVIDENCE, Remedy.STOP, "the evidence document exceeds its bound")
    DOCUMENT_MALFORMED = (
        "document.malformed",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the evidence document is not strict JSON with the members of spec/04-document.md",
    )
    DOCUMENT_VERSION = (
        "document.version",
        Exit.EVIDENCE,
        Remedy.UPDATE,
        "the evidence document has a version that this side does not speak",
    )
    DOCUMENT_EVIDENCE_TYPE = (
        "document.evidence_type",
        Exit.EVIDENCE,
        Remedy.UPDATE,
        "the evidence document holds evidence of a type that this side does not know",
    )
    DOCUMENT_DUPLICATE = ("document.duplicate", Exit.EVIDENCE, Remedy.STOP, "the evidence document holds two items of one type")
    ADMISSION_MALFORMED = (
        "admission.malformed",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the admission is not a signed statement with the members of spec/05-admission.md",
    )
    ADMISSION_VERSION = (
        "admission.version",
        Exit.EVIDENCE,
        Remedy.UPDATE,
        "the admission has a version that this side does not speak",
    )
    ADMISSION_SIGNATURE = (
        "admission.signature",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the admission is not signed by the accepted authority key",
    )
    ADMISSION_AUTHORITY = ("admission.authority", Exit.EVIDENCE, Remedy.STOP, "the keyset does not name the accepted authority key")
    ADMISSION_NODE = ("admission.node", Exit.EVIDENCE, Remedy.STOP, "the admission names another node id")
    ADMISSION_NODE_KEY = (
        "admission.node_key",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the admission names a receipt key that is not in the keyset",
    )
    ADMISSION_PLATFORM = (
        "admission.platform",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the admission names another platform than the evidence",
    )
    ADMISSION_PLACE = ("admission.place", Exit.POLICY, Remedy.STOP, "the admission names a place that the policy does not list")
    ADMISSION_WINDOW = (
        "admission.window",
        Exit.EVIDENCE,
        Remedy.STOP,
        "the admission ends before it begins or lasts longer than 24 hours",
    )
    ADMISSION_NOT_YET_VALID = ("admission.not_yet_valid", Exit.EVIDENCE, Remedy.RETRY, "the admission is not valid yet")
    ADMISSION_EXPIRED = ("admission.expired", Exit.EVIDENCE, Remedy.RETRY, "the admission has expired")
    ADMISSION_OLDER = ("admission.older", Exit.EVIDENCE, Remedy.FIX, "the node holds a newer admission")

    # policy: policies and what they refuse (policy/)
    POLICY_MALFORMED = ("policy.malformed", Exit.POLICY, Remedy.FIX, "the bytes are not a policy in TOML, JSON or DSSE")
    POLICY_VERSION = ("policy.version", Exit.POLICY, Remedy.UPDATE, "the policy is of a version that is not known here")
    POLICY_SHAPE = ("policy.shape", Exit.POLICY, Remedy.FIX, "a member of the policy is unknown, missing or of another form")
    POLICY_UNCONSTRAINED = (
        "policy.unconstrained",
        Exit.POLICY,
        Remedy.FIX,
        "the policy leaves open what every policy must constrain",
    )
    POLICY_SIGNER = ("policy.signer", Exit.POLICY, Remedy.STOP, "the policy is not signed by an accepted key")
    POLICY_EXPIRED = ("policy.expired", Exit.POLICY, Remedy.UPDATE, "the policy has expired")
    POLICY_ROLLBACK = ("policy.rollback", Exit.POLICY, Remedy.STOP, "a newer policy of this name was used before")
    POLICY_TEE = ("policy.tee", Exit.POLICY, Remedy.STOP, "a kind of TEE is not known, or the policy does not accept it")
    POLICY_COMPOSITE = ("policy.composite", Exit.POLICY, Remedy.STOP, "evidence that the policy wants beside the rest is missing")
    POLICY_SIMULATED = (
        "policy.simulated",
        Exit.POLICY,
        Remedy.STOP,
        "the evidence is SIMULATED and the policy does not admit that",
    )
    POLICY_ROLE = ("policy.role", Exit.POLICY, Remedy.STOP, "the keyset's role is not the policy's")
    POLICY_AUTHORITY_KEY = ("policy.authority_key", Exit.POLICY, Remedy.STOP, "the node obeys another authority key")
    POLICY_CONFIG_DIGEST = ("policy.config_digest", Exit.POLICY, Remedy.STOP, "the node's effective configuration is not accepted")
    POLICY_SOFTWARE_DIGEST = ("policy.software_digest", Exit.POLICY, Remedy.STOP, "the node's software is not accepted")
    POLICY_ISOLATION = ("policy.isolation", Exit.POLICY, Remedy.STOP, "the engine's isolation mode is not accepted")
    POLICY_POOL = ("policy.pool", Exit.POLICY, Remedy.STOP, "the node shares its keys with a pool")
    POLICY_POST_QUANTUM = ("policy.post_quantum", Exit.POLICY, Remedy.STOP, "the keyset has no post-quantum key")
    POLICY_RECEIPTS = ("policy.receipts", Exit.POLICY, Remedy.STOP, "the keyset has no key that signs receipts")
    POLICY_LOG_PROOF = ("policy.log_proof", Exit.POLICY, Remedy.STOP, "the keyset has no post-quantum key that signs checkpoints")
    POLICY_CLIENT_NONCE = ("policy.client_nonce", Exit.POLICY, Remedy.FIX, "the policy requires the caller's own nonce")
    POLICY_ADMISSION = ("policy.admission", Exit.POLICY, Remedy.STOP, "the node carries no admission by the authority key")
    POLICY_MODEL_DIGEST = ("policy.model_digest", Exit.POLICY, Remedy.STOP, "a start-up model's digest is not the policy's")

    # verdict: checks of the whole chain, freshness, custody, rollback (policy/)
    VERDICT_COMPOSITE = ("verdict.composite", Exit.EVIDENCE, Remedy.STOP, "the pieces of evidence are not those of one machine")
    VERDICT_DEVICES = ("verdict.devices", Exit.EVIDENCE, Remedy.STOP, "the devices are not those that the keyset names")
    VERDICT_TIME = ("verdict.time", Exit.MISUSE, Remedy.FIX, "the time of verification has no time zone")
    VERDICT_NONCE_FORM = ("verdict.nonce_form", Exit.MISUSE, Remedy.FIX, "the caller's nonce is not 32 bytes other than zero")
    VERDICT_NO_NONCE = ("verdict.no_nonce", Exit.EVIDENCE, Remedy.RETRY, "the evidence was made without the caller's nonce")
    VERDICT_NONCE = ("verdict.nonce", Exit.EVIDENCE, Remedy.STOP, "the evidence was made for another nonce")
    VERDICT_KEYSET_EARLY = ("verdict.keyset_early", Exit.EVIDENCE, Remedy.RETRY, "the keyset is not valid yet")
    VERDICT_KEYSET_EXPIRED = ("verdict.keyset_expired", Exit.EVIDENCE, Remedy.RETRY, "the keyset has expired")
    VERDICT_ROLLBACK = ("verdict.rollback", Exit.EVIDENCE, Remedy.STOP, "the node went back to an older policy or older TCB data")
    VERDICT_STATE = ("verdict.state", Exit.MISUSE, Remedy.FIX, "the bytes are not a rollback state")
    VERDICT_EXPIRED = ("verdict.expired", Exit.EVIDENCE, Remedy.RETRY, "the verdict has expired")
    VERDICT_ACCEPT_DIGEST = ("verdict.accept_digest", Exit.POLICY, Remedy.STOP, "what the node runs is not what was accepted")

    # ear: attestation results of others, and for others (policy/ear/)
    EAR_MALFORMED = ("ear.malformed", Exit.POLICY, Remedy.STOP, "the token is no signed attestation result")
    EAR_ALGORITHM = ("ear.algorithm", Exit.POLICY, Remedy.STOP, "the token is signed with another algorithm than the key's")
    EAR_SIGNATURE = ("ear.signature", Exit.POLICY, Remedy.STOP, "the token is not signed by the key that was given")
    EAR_PROFILE = ("ear.profile", Exit.POLICY, Remedy.STOP, "the token is of another profile")
    EAR_TIME = ("ear.time", Exit.POLICY, Remedy.RETRY, "the token is not about now")
    EAR_NONCE = ("ear.nonce", Exit.POLICY, Remedy.STOP, "the token answers another question than the caller's")
    EAR_KEY = ("ear.key", Exit.MISUSE, Remedy.FIX, "the file holds no public key of a verifier")
    EAR_STATUS = ("ear.status", Exit.POLICY, Remedy.STOP, "the verifier thinks worse of the node than is accepted")

    # reference: values from makers of software, for policies (policy/reference/)
    REFERENCE_MALFORMED = ("reference.malformed", Exit.POLICY, Remedy.FIX, "the file holds no reference values that can be read")
    REFERENCE_KEY = ("reference.key", Exit.MISUSE, Remedy.FIX, "the file holds no public key that signs manifests")
    REFERENCE_SIGNATURE = ("reference.signature", Exit.POLICY, Remedy.STOP, "the manifest is not signed by the key that was given")
    REFERENCE_TIME = ("reference.time", Exit.POLICY, Remedy.STOP, "the manifest is not valid at this time")
    REFERENCE_UNSUPPORTED = ("reference.unsupported", Exit.POLICY, Remedy.UPDATE, "a reference states what an accept entry cannot")
    REFERENCE_NO_ENTRY = ("reference.no_entry", Exit.POLICY, Remedy.FIX, "the policy accepts no TEE that the references are about")

    # hpke: RFC 9180 (seal/hpke.py)
    HPKE_SUITE = ("hpke.suite", Exit.CHANNEL, Remedy.UPDATE, "the KEM, KDF or AEAD is not one that we implement")
    HPKE_PUBLIC_KEY = ("hpke.public_key", Exit.CHANNEL, Remedy.STOP, "the public key is not one of its KEM")
    HPKE_PRIVATE_KEY = ("hpke.private_key", Exit.MISUSE, Remedy.FIX, "the private key is not one of its KEM")
    HPKE_KEY_WIPED = ("hpke.key_wiped", Exit.CHANNEL, Remedy.FIX, "the private key was wiped and opens nothing any more")
    HPKE_ENC = ("hpke.enc", Exit.CHANNEL, Remedy.STOP, "the encapsulated key is not one of its KEM")
    HPKE_OPEN = ("hpke.open", Exit.CHANNEL, Remedy.STOP, "a ciphertext is not authentic at this place of the context")
    HPKE_MESSAGE_LIMIT = ("hpke.message_limit", Exit.CHANNEL, Remedy.FIX, "the context has used up its sequence numbers")
    HPKE_EXPORT_LENGTH = ("hpke.export_length", Exit.MISUSE, Remedy.FIX, "the exported secret would exceed 255 hash lengths")

    # bhttp: RFC 9292 (seal/bhttp.py)
    BHTTP_FRAMING = ("bhttp.framing", Exit.CHANNEL, Remedy.FIX, "the framing indicator is not one of this kind of message")
    BHTTP_TRUNCATED = ("bhttp.truncated", Exit.CHANNEL, Remedy.FIX, "the binary HTTP message ends inside a part")
    BHTTP_PADDING = ("bhttp.padding", Exit.CHANNEL, Remedy.FIX, "bytes after the binary HTTP message are not zero")
    BHTTP_CONTROL = ("bhttp.control", Exit.CHANNEL, Remedy.FIX, "method, scheme, authority, path or status is not valid")
    BHTTP_FIELD = ("bhttp.field", Exit.CHANNEL, Remedy.FIX, "a header or trailer field is not valid")
    BHTTP_LIMIT = ("bhttp.limit", Exit.CHANNEL, Remedy.FIX, "the binary HTTP message exceeds a bound")

    # ohttp: RFC 9458 and chunked OHTTP (seal/)
    OHTTP_KEY_CONFIG = ("ohttp.key_config", Exit.CHANNEL, Remedy.STOP, "the key configuration is malformed")
    OHTTP_NO_SUITE = ("ohttp.no_suite", Exit.CHANNEL, Remedy.UPDATE, "no key configuration offers a suite that we may use")
    OHTTP_KEY_ID = ("ohttp.key_id", Exit.CHANNEL, Remedy.RETRY, "the node holds no key of this id")
    OHTTP_SUITE = ("ohttp.suite", Exit.CHANNEL, Remedy.FIX, "the request uses a suite that its key configuration does not offer")
    OHTTP_TRUNCATED = ("ohttp.truncated", Exit.CHANNEL, Remedy.RETRY, "the sealed message ends before its final mark")
    OHTTP_DECAPSULATION = (
        "ohttp.decapsulation",
        Exit.CHANNEL,
        Remedy.RETRY,
        "the sealed request does not open with the node's key",
    )
    OHTTP_RESPONSE = ("ohttp.response", Exit.CHANNEL, Remedy.STOP, "the sealed response does not open")
    OHTTP_CHUNK = ("ohttp.chunk", Exit.CHANNEL, Remedy.STOP, "a later chunk was altered, reordered, dropped or cut off")
    OHTTP_CHUNK_LENGTH = ("ohttp.chunk_length", Exit.CHANNEL, Remedy.FIX, "a chunk is empty, or longer than the bound")
    OHTTP_TOO_LARGE = ("ohttp.too_large", Exit.CHANNEL, Remedy.FIX, "the sealed message exceeds its bound")
    OHTTP_REPLAYED = ("ohttp.replayed", Exit.CHANNEL, Remedy.FIX, "this sealed request was already accepted once")
    OHTTP_REPLAY_STORE_FULL = ("ohttp.replay_store_full", Exit.CHANNEL, Remedy.RETRY, "the key has accepted its last request")
    OHTTP_STATE = ("ohttp.state", Exit.MISUSE, Remedy.FIX, "the call does not fit the state of the stream")

    # receipt, log: receipts and the per-boot log (receipt/)
    RECEIPT_MALFORMED = ("receipt.malformed", Exit.RECEIPT, Remedy.STOP, "the bytes are not a receipt")
    RECEIPT_VERSION = ("receipt.version", Exit.RECEIPT, Remedy.UPDATE, "the receipt is of a version that is not known here")
    RECEIPT_SIGNATURE = ("receipt.signature", Exit.RECEIPT, Remedy.STOP, "no receipt key of the keyset signed the receipt")
    RECEIPT_KEYSET = ("receipt.keyset", Exit.RECEIPT, Remedy.STOP, "the receipt names another keyset")
    RECEIPT_SOFTWARE = ("receipt.software", Exit.RECEIPT, Remedy.STOP, "the receipt names other software than the keyset")
    RECEIPT_TIME = ("receipt.time", Exit.RECEIPT, Remedy.STOP, "the receipt's time is outside the keyset's window")
    RECEIPT_KEY_CONFIG = ("receipt.key_config", Exit.RECEIPT, Remedy.STOP, "the receipt names another channel key")
    RECEIPT_ENC = ("receipt.enc", Exit.RECEIPT, Remedy.STOP, "the receipt belongs to another sealed request")
    RECEIPT_MODEL = ("receipt.model", Exit.RECEIPT, Remedy.STOP, "the receipt names a model that is not accepted")
    RECEIPT_OUTCOME = ("receipt.outcome", Exit.RECEIPT, Remedy.STOP, "the receipt tells another outcome than the answer")
    RECEIPT_SALTS = ("receipt.salts", Exit.RECEIPT, Remedy.FIX, "the salts are missing or malformed")
    RECEIPT_REQUEST = ("receipt.request", Exit.RECEIPT, Remedy.STOP, "the receipt commits to another request")
    RECEIPT_RESPONSE = ("receipt.response", Exit.RECEIPT, Remedy.STOP, "the receipt commits to another response")
    RECEIPT_PARAMETERS = ("receipt.parameters", Exit.RECEIPT, Remedy.STOP, "the receipt commits to other parameters")
    RECEIPT_FIELD = ("receipt.field", Exit.RECEIPT, Remedy.FIX, "a value cannot stand in a receipt")
    RECEIPT_LOG_REQUIRED = ("receipt.log_required", Exit.RECEIPT, Remedy.FIX, "the policy requires a log proof of the receipt")
    LOG_MALFORMED = ("log.malformed", Exit.RECEIPT, Remedy.STOP, "the bytes are not a checkpoint or a log proof")
    LOG_VERSION = ("log.version", Exit.RECEIPT, Remedy.UPDATE, "the checkpoint or proof is of a version that is not known here")
    LOG_SIGNATURE = (
        "log.signature",
        Exit.RECEIPT,
        Remedy.STOP,
        "the checkpoint lacks a signature of both kinds by the keyset's keys",
    )
    LOG_ID = ("log.id", Exit.RECEIPT, Remedy.STOP, "the checkpoint is of another log")
    LOG_INDEX = ("log.index", Exit.RECEIPT, Remedy.STOP, "the log index is not the expected one")
    LOG_TIME = ("log.time", Exit.RECEIPT, Remedy.STOP, "a later checkpoint is of an earlier time")
    LOG_INCLUSION = ("log.inclusion", Exit.RECEIPT, Remedy.STOP, "the receipt is not in the log at its index")
    LOG_CONSISTENCY = ("log.consistency", Exit.RECEIPT, Remedy.STOP, "the later log does not begin with the earlier one")
    LOG_PENDING = ("log.pending", Exit.RECEIPT, Remedy.RETRY, "no checkpoint covers the receipt yet")
    LOG_CLOSED = ("log.closed", Exit.RECEIPT, Remedy.FIX, "the log is closed")
    LOG_RECORD = ("log.record", Exit.RECEIPT, Remedy.STOP, "the log's file holds something that is no record")
    LOG_MISSING = ("log.missing", Exit.RECEIPT, Remedy.STOP, "leaves that a checkpoint covers are not there")
    LOG_ROOT = ("log.root", Exit.RECEIPT, Remedy.STOP, "the leaves do not make the root that the checkpoint names")
    LOG_UNKNOWN = ("log.unknown", Exit.RECEIPT, Remedy.FIX, "no log of this id is kept here")
    LOG_STORAGE = ("log.storage", Exit.TRANSPORT, Remedy.RETRY, "the log cannot be written or read now")

    # package: model packages and packing (engine/)
    PACKAGE_NOT_FOUND = ("package.not_found", Exit.PACKAGE, Remedy.FIX, "there is no package or model folder at this path")
    PACKAGE_CONTAINER = ("package.container", Exit.PACKAGE, Remedy.FIX, "the file is not a canonical .confide container")
    PACKAGE_TOO_LARGE = ("package.too_large", Exit.PACKAGE, Remedy.FIX, "the package, or a part of it, exceeds its bound")
    PACKAGE_PATH = ("package.path", Exit.PACKAGE, Remedy.FIX, "a file name in the package is not allowed")
    PACKAGE_DUPLICATE = ("package.duplicate", Exit.PACKAGE, Remedy.FIX, "a file name occurs twice in the package")
    PACKAGE_LINK = ("package.link", Exit.PACKAGE, Remedy.FIX, "the package holds something that is not a plain file")
    PACKAGE_VERSION = ("package.version", Exit.PACKAGE, Remedy.UPDATE, "the package has an unknown format version")
    PACKAGE_MANIFEST = ("package.manifest", Exit.PACKAGE, Remedy.FIX, "confide.toml is missing or not a package manifest")
    PACKAGE_STEP = ("package.step", Exit.PACKAGE, Remedy.FIX, "the declared steps do not make a pipeline for the task")
    PACKAGE_MISSING_FILE = ("package.missing_file", Exit.PACKAGE, Remedy.FIX, "a file that confide.toml names is missing")
    PACKAGE_UNLISTED_FILE = (
        "package.unlisted_file",
        Exit.PACKAGE,
        Remedy.FIX,
        "the package holds a file that confide.toml does not name",
    )
    PACKAGE_FILE_DIGEST = ("package.file_digest", Exit.PACKAGE, Remedy.STOP, "a file is not the one that confide.toml names")
    PACKAGE_DIGEST = ("package.digest", Exit.PACKAGE, Remedy.STOP, "the package is not the expected one")
    PACKAGE_WRITE = ("package.write", Exit.PACKAGE, Remedy.RETRY, "the package could not be written; nothing was left behind")
    PACKAGE_SOURCE = ("package.source", Exit.PACKAGE, Remedy.FIX, "the model folder lacks a file or a setting that packing needs")
    PACKAGE_ARCHITECTURE = ("package.architecture", Exit.PACKAGE, Remedy.FIX, "the model's architecture or task cannot be packed")
    PACKAGE_WEIGHTS = ("package.weights", Exit.PACKAGE, Remedy.FIX, "the weights do not fit the model's configuration")
    PACKAGE_TOKENIZER = ("package.tokenizer", Exit.PACKAGE, Remedy.FIX, "the tokenizer is malformed or does not fit the model")
    PACKAGE_GRAPH = ("package.graph", Exit.PACKAGE, Remedy.FIX, "the ONNX graph is malformed or does not fit the manifest")
    PACKAGE_EXTRA = ("package.extra", Exit.MISUSE, Remedy.FIX, "packing needs libraries that are not installed")

    # engine: inputs, workers, scheduling (engine/)
    ENGINE_UNKNOWN_MODEL = ("engine.unknown_model", Exit.ENGINE, Remedy.FIX, "no package with this digest is loaded")
    ENGINE_INPUT = ("engine.input", Exit.ENGINE, Remedy.FIX, "the inputs are not what the package takes")
    ENGINE_PARAMETER = ("engine.parameter", Exit.ENGINE, Remedy.FIX, "a parameter is unknown or has the wrong type")
    ENGINE_TOO_LONG = ("engine.too_long", Exit.ENGINE, Remedy.FIX, "a text has more tokens than the package takes")
    ENGINE_BUSY = ("engine.busy", Exit.ENGINE, Remedy.RETRY, "the queue is full")
    ENGINE_TIMEOUT = ("engine.timeout", Exit.ENGINE, Remedy.RETRY, "the request took longer than the engine allows")
    ENGINE_WORKER_DIED = ("engine.worker_died", Exit.ENGINE, Remedy.RETRY, "the worker process died; another takes its place")
    ENGINE_FAILED = ("engine.failed", Exit.ENGINE, Remedy.RETRY, "the model failed on these inputs")
    ENGINE_LOAD = ("engine.load", Exit.ENGINE, Remedy.FIX, "the package could not be loaded")
    ENGINE_OWNER = ("engine.owner", Exit.ENGINE, Remedy.FIX, "these workers serve another package owner")
    ENGINE_ISOLATION = ("engine.isolation", Exit.ENGINE, Remedy.FIX, "the kernel does not confine workers as the limits demand")
    ENGINE_STOPPED = ("engine.stopped", Exit.ENGINE, Remedy.RETRY, "the engine is not running")

    # guest: TEE devices and key material (guest/)
    GUEST_NO_TEE = ("guest.no_tee", Exit.MISUSE, Remedy.FIX, "no trusted execution environment was found")
    GUEST_UNKNOWN_TEE = ("guest.unknown_tee", Exit.MISUSE, Remedy.FIX, "no kind of TEE has this name")
    GUEST_UNSUPPORTED_TEE = ("guest.unsupported_tee", Exit.MISUSE, Remedy.UPDATE, "a TEE was found that this version cannot drive")
    GUEST_NO_SIMULATOR = ("guest.no_simulator", Exit.MISUSE, Remedy.FIX, "the simulated TEE needs the package confide-sim")
    GUEST_QUOTE = ("guest.quote", Exit.EVIDENCE, Remedy.RETRY, "the TEE device gave no usable quote")
    GUEST_DEVICE = ("guest.device", Exit.MISUSE, Remedy.FIX, "the TEE device is there, but it cannot be used")
    GUEST_CERTIFICATES = ("guest.certificates", Exit.COLLATERAL, Remedy.FIX, "the host's table of certificates is malformed")
    GUEST_COLLATERAL = ("guest.collateral", Exit.COLLATERAL, Remedy.FIX, "a certificate or list that verifiers need is not here")
    GUEST_SELF_CHECK = ("guest.self_check", Exit.EVIDENCE, Remedy.FIX, "verifiers would refuse the node's own evidence")
    GUEST_NONCE = ("guest.nonce", Exit.MISUSE, Remedy.FIX, "a nonce is not 32 bytes other than zero")
    GUEST_BUSY = ("guest.busy", Exit.TRANSPORT, Remedy.RETRY, "too many nonces wait for evidence")
    GUEST_KEYSET = ("guest.keyset", Exit.MISUSE, Remedy.FIX, "the node has no evidence of a keyset of this digest")
    GUEST_KEY_IDS = ("guest.key_ids", Exit.INTERNAL, Remedy.RETRY, "no key id is free for new keys")
    GUEST_KEYS_WIPED = ("guest.keys_wiped", Exit.INTERNAL, Remedy.STOP, "the keys of this boot are gone")

    # node: what the server answers (server/)
    NODE_CONFIG = ("node.config", Exit.MISUSE, Remedy.FIX, "a setting is unknown, or not of its type and range")
    NODE_ADDRESS = ("node.address", Exit.MISUSE, Remedy.FIX, "the node cannot listen on this address and port")
    NODE_STARTING = ("node.starting", Exit.TRANSPORT, Remedy.RETRY, "the node is still loading its models")
    NODE_DRAINING = ("node.draining", Exit.TRANSPORT, Remedy.RETRY, "the node is stopping")
    NODE_EXPIRED = ("node.expired", Exit.TRANSPORT, Remedy.RETRY, "the node's keys have ended, and new ones cannot be made")
    NODE_SPENT = ("node.spent", Exit.TRANSPORT, Remedy.RETRY, "a key has accepted its last request before new keys came")
    NODE_ROTATION = ("node.rotation", Exit.TRANSPORT, Remedy.RETRY, "the node's keys end soon, and new ones cannot be made")
    NODE_BUSY = ("node.busy", Exit.TRANSPORT, Remedy.RETRY, "the node has as many requests as it admits")
    NODE_TOO_LARGE = ("node.too_large", Exit.MISUSE, Remedy.FIX, "the request is larger than the node reads")
    NODE_TOO_SLOW = ("node.too_slow", Exit.TRANSPORT, Remedy.RETRY, "the request did not arrive in time")
    NODE_BAD_REQUEST = ("node.bad_request", Exit.MISUSE, Remedy.FIX, "the request is not of the form that this route takes")
    NODE_UNSEALED = ("node.unsealed", Exit.CHANNEL, Remedy.STOP, "an inner route was asked outside the sealed channel")
    NODE_AUTHORITY = ("node.authority", Exit.CHANNEL, Remedy.FIX, "the inner request names another scheme or authority")
    NODE_ROUTE = ("node.route", Exit.MISUSE, Remedy.FIX, "the node has no such route")
    NODE_METHOD = ("node.method", Exit.MISUSE, Remedy.FIX, "the route has another method")
    NODE_MEDIA_TYPE = ("node.media_type", Exit.MISUSE, Remedy.FIX, "the route takes another media type")
    NODE_UNKNOWN_MODEL = ("node.unknown_model", Exit.MISUSE, Remedy.FIX, "the node serves no model of this name")
    NODE_MODEL_DIGEST = ("node.model_digest", Exit.POLICY, Remedy.STOP, "the model's package digest is not the required one")
    NODE_TENSOR = ("node.tensor", Exit.MISUSE, Remedy.FIX, "a tensor is not one that the model takes or gives")
    NODE_TASK = ("node.task", Exit.MISUSE, Remedy.FIX, "the model has another task than this route")
    NODE_TIMEOUT = ("node.timeout", Exit.ENGINE, Remedy.RETRY, "the model took longer than the node allows")
    NODE_ABORTED = ("node.aborted", Exit.CHANNEL, Remedy.RETRY, "the exchange was broken off before it was whole")
    NODE_INTERNAL = ("node.internal", Exit.INTERNAL, Remedy.RETRY, "the node failed; its own log says where")

    # owner, upload, alias: packages that come through the channel (server/)
    NODE_OWNER = ("node.owner", Exit.MISUSE, Remedy.FIX, "the request carries no token of an owner of this node")
    OWNER_QUOTA = ("owner.quota", Exit.MISUSE, Remedy.FIX, "the owner has as much on the node as the node allows")
    OWNER_PACKAGE = ("owner.package", Exit.MISUSE, Remedy.FIX, "the owner has no package of this digest on the node")
    UPLOAD_OFF = ("upload.off", Exit.MISUSE, Remedy.FIX, "the node takes no uploads")
    UPLOAD_FIELD = ("upload.field", Exit.MISUSE, Remedy.FIX, "a field of the upload is missing or malformed")
    UPLOAD_UNKNOWN = ("upload.unknown", Exit.MISUSE, Remedy.FIX, "the owner has no upload of this id; it may have expired")
    UPLOAD_OFFSET = ("upload.offset", Exit.MISUSE, Remedy.RETRY, "the upload continues at another offset")
    UPLOAD_SIZE = ("upload.size", Exit.MISUSE, Remedy.FIX, "the upload is not of the length that it announced")
    UPLOAD_COMPLETED = ("upload.completed", Exit.MISUSE, Remedy.FIX, "the upload has ended")
    UPLOAD_SUPERSEDED = ("upload.superseded", Exit.MISUSE, Remedy.RETRY, "a later request for the same upload took over")
    UPLOAD_IDEMPOTENCY = ("upload.idempotency", Exit.MISUSE, Remedy.FIX, "the idempotency key belongs to another upload")
    UPLOAD_EXPIRED = ("upload.expired", Exit.MISUSE, Remedy.RETRY, "the upload took longer than the node allows")
    UPLOAD_STORAGE = ("upload.storage", Exit.TRANSPORT, Remedy.RETRY, "the node cannot store the upload; nothing of it was kept")
    ALIAS_NAME = ("alias.name", Exit.MISUSE, Remedy.FIX, "the alias is not of the form that the node takes")
    ALIAS_UNKNOWN = ("alias.unknown", Exit.MISUSE, Remedy.FIX, "the owner has no alias of this name")
    ALIAS_TAKEN = ("alias.taken", Exit.MISUSE, Remedy.FIX, "the alias is another owner's, or one of the keyset's")

    # atrest: files that only this process can read (seal/atrest.py)
    ATREST_SIZE = ("atrest.size", Exit.CHANNEL, Remedy.STOP, "a sealed file is cut off or has another length")
    ATREST_CHUNK = ("atrest.chunk", Exit.CHANNEL, Remedy.STOP, "a chunk of a sealed file was altered, moved or exchanged")
    ATREST_STATE = ("atrest.state", Exit.MISUSE, Remedy.FIX, "the call does not fit the state of the sealed file")
    ATREST_WIPED = ("atrest.wiped", Exit.CHANNEL, Remedy.FIX, "the key of the sealed file was wiped")

    # client: sessions and transport (client/)
    CLIENT_URL = ("client.url", Exit.MISUSE, Remedy.FIX, "the address is not that of a node")
    CLIENT_INPUT = ("client.input", Exit.MISUSE, Remedy.FIX, "the call's arguments are not what the node's API takes")
    CLIENT_TARGET = ("client.target", Exit.MISUSE, Remedy.FIX, "the request is for another address than the verified node's")
    CLIENT_FILE = ("client.file", Exit.MISUSE, Remedy.FIX, "a file cannot be read or written")
    CLIENT_TOKEN = ("client.token", Exit.MISUSE, Remedy.FIX, "the text is not an owner's token")
    CLIENT_UPLOAD = ("client.upload", Exit.TRANSPORT, Remedy.RETRY, "the upload broke off too often, or changed while it was sent")
    CLIENT_STATE = ("client.state", Exit.MISUSE, Remedy.FIX, "the rollback state cannot be read or kept")
    CLIENT_CLOSED = ("client.closed", Exit.MISUSE, Remedy.FIX, "the connection to the node was closed")
    CLIENT_SIM_MISSING = ("client.sim_missing", Exit.MISUSE, Remedy.FIX, "the policy admits simulated nodes, confide-sim is absent")
    CLIENT_MODEL = ("client.model", Exit.POLICY, Remedy.FIX, "the policy names no digest for this model")
    CLIENT_MODEL_DIGEST = ("client.model_digest", Exit.POLICY, Remedy.STOP, "the node holds another model under this name")
    CLIENT_NO_KEY = ("client.no_key", Exit.CHANNEL, Remedy.UPDATE, "the verified keyset has no key for the sealed channel")
    CLIENT_KEY_CHANGED = ("client.key_changed", Exit.CHANNEL, Remedy.RETRY, "the node refuses a key that its own evidence names")
    CLIENT_NOT_SEALED = ("client.not_sealed", Exit.CHANNEL, Remedy.STOP, "the answer did not come through the sealed channel")
    CLIENT_ANSWER = ("client.answer", Exit.CHANNEL, Remedy.UPDATE, "the opened answer is not of the expected shape")
    CLIENT_NO_RECEIPT = ("client.no_receipt", Exit.RECEIPT, Remedy.STOP, "the answer lacks the receipt that the policy requires")
    CLIENT_KEY_FILE = ("client.key_file", Exit.MISUSE, Remedy.FIX, "the file holds no private key that opens with this passphrase")
    CLIENT_ADMISSION = ("client.admission", Exit.CHANNEL, Remedy.RETRY, "the node does not show the admission that it took")
    CLIENT_REMOTE = ("client.remote", Exit.ENGINE, Remedy.RETRY, "the node answered with an error that this version does not know")
    TRANSPORT_UNREACHABLE = ("transport.unreachable", Exit.TRANSPORT, Remedy.RETRY, "the node cannot be reached")
    TRANSPORT_TIMEOUT = ("transport.timeout", Exit.TRANSPORT, Remedy.RETRY, "the node did not answer in time")
    TRANSPORT_BROKEN = ("transport.broken", Exit.TRANSPORT, Remedy.RETRY, "the connection broke before the answer was complete")
    TRANSPORT_STATUS = ("transport.status", Exit.TRANSPORT, Remedy.RETRY, "the node or a proxy answered with an HTTP error")
    TRANSPORT_TOO_LARGE = ("transport.too_large", Exit.TRANSPORT, Remedy.RETRY, "the answer exceeds its bound")

    # cli: the command line (cli/)
    CLI_EXISTS = ("cli.exists", Exit.MISUSE, Remedy.FIX, "the output file exists already")
    CLI_INPUT = ("cli.input", Exit.MISUSE, Remedy.FIX, "an argument or an option is wrong, missing, or does not fit the others")
    CLI_NOT_ACCEPTED = ("cli.not_accepted", Exit.POLICY, Remedy.FIX, "nobody accepted what the node runs")
    CLI_EXTRA = ("cli.extra", Exit.MISUSE, Remedy.FIX, "this command needs an extra that is not installed")
    CLI_INTERNAL = ("cli.internal", Exit.INTERNAL, Remedy.RETRY, "a fault in confide itself")
