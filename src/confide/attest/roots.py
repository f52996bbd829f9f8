"""Pinned vendor roots, and the intermediates that vendors publish beside them. Facts: whole certificates with fingerprints.

Origin: AMD's Key Distribution Service, `/vcek/v1/<product>/cert_chain` and `/vlek/v1/<product>/cert_chain` (AMD 57230), as carried
by confidential-dot-ai/attestation-rs (`crates/attestation/certs/amd`), google/go-sev-guest and virtee/sev, byte for byte the same.
The files are `data/amd/*.der`; a file that is not the one named here stops the import. Intermediates are not trusted for being
shipped: the verifier checks them like any other.
"""

import hashlib
from importlib import resources

from confide.attest.evidence import Kind, Root, Roots
from confide.codes import Code
from confide.errors import MisuseError

_AMD_ARKS = {
    "ARK-Milan": "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
    "ARK-Genoa": "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
    "ARK-Turin": "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
}
_AMD_INTERMEDIATES = {
    "ASK-Milan": "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
    "ASK-Genoa": "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
    "ASK-Turin": "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
    "ASVK-Milan": "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
    "ASVK-Genoa": "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
    "ASVK-Turin": "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
}


def pinned(name: str, data: bytes, sha256: str) -> bytes:
    """`data`, if it is the certificate that was pinned as `name`."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise MisuseError(Code.X509_ROOT, found=f"{name} with SHA-256 {found}", wanted=sha256, hint="reinstall confide")
    return data


def _amd(name: str, sha256: str) -> bytes:
    file = resources.files("confide.attest") / "data" / "amd" / f"{name.lower().replace('-', '_')}.der"
    return pinned(name, file.read_bytes(), sha256)


def _pinned_file(path: str, sha256: str) -> bytes:
    return pinned(path, (resources.files("confide.attest") / "data" / path).read_bytes(), sha256)


AMD_ROOTS: Roots = tuple(Root(Kind.SNP, name, _amd(name, sha256)) for name, sha256 in _AMD_ARKS.items())
# Origin: Intel's certificate service, "Intel SGX Root CA", as carried by Phala-Network/dcap-qvl. One root for SGX and TDX alike.
INTEL_ROOTS: Roots = (
    Root(
        Kind.SGX,
        "Intel SGX Root CA",
        _pinned_file("intel/sgx_root_ca.der", "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"),
    ),
)
# Origin: AWS Nitro Enclaves User Guide, "Verifying the root of trust"; the fingerprint is the one that AWS publishes.
AWS_ROOTS: Roots = (
    Root(
        Kind.NITRO,
        "AWS Nitro Enclaves Root G1",
        _pinned_file("aws/nitro_root_g1.der", "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"),
    ),
)
# Origins: google/go-tpm-tools, `server/ca-certs` (as published under pki.goog/cloud_integrity); Microsoft, "Azure Virtual TPM Root
# Certificate Authority 2023", as carried by evidence of mithril-security/fluorite. All vouch for TPMs that a hypervisor makes.
TPM_ROOTS: Roots = (
    Root(
        Kind.TPM,
        "Google EK/AK CA Root",
        _pinned_file("google/ek_ak_ca_root.der", "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2"),
    ),
    Root(
        Kind.TPM,
        "Google tpm_ek_v1_cloud_host root",
        _pinned_file("google/tpm_ek_root_1.der", "9bd5285f8fb18502a7947e621ffd470266f49fcd3b73e19a190f690ad32a7caf"),
    ),
    Root(
        Kind.TPM,
        "Azure Virtual TPM Root 2023",
        _pinned_file("azure/vtpm_root_2023.der", "e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95"),
    ),
)
GOOGLE_INTERMEDIATES: tuple[bytes, ...] = (
    _pinned_file("google/ek_ak_ca_intermediate.der", "c84de8116dfaf5a908f21e810487791f5437e206d00ad8025050cca6bd2ff627"),
    _pinned_file("google/tpm_ek_intermediate_2.der", "5d8dbcf8c8053dd8ffad711b6219355032b7122c34cac0f90ccb49def69ec504"),
    _pinned_file("google/tpm_ek_intermediate_3.der", "7132b6ea71101f6c51bb58f98c3798c19b65be510eca0344318900510b593178"),
)
# Origin: NVIDIA's attestation SDK and nvtrust. The first vouches for devices, the second for reference manifests.
NVIDIA_ROOTS: Roots = (
    Root(
        Kind.NVIDIA,
        "NVIDIA Device Identity CA",
        _pinned_file("nvidia/device_identity_ca.der", "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"),
    ),
    Root(
        Kind.NVIDIA,
        "NVIDIA CoRIM signing Root CA",
        _pinned_file("nvidia/corim_signing_root_ca.der", "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"),
    ),
)
VENDOR_ROOTS: Roots = (
    *AMD_ROOTS,
    *INTEL_ROOTS,
    *AWS_ROOTS,
    *TPM_ROOTS,
    *NVIDIA_ROOTS,
)  # of every vendor: what production verifiers are given
AMD_INTERMEDIATES: tuple[bytes, ...] = tuple(_amd(name, sha256) for name, sha256 in _AMD_INTERMEDIATES.items())
