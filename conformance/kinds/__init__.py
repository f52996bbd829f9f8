"""One module per kind of evidence: how the files of a recorded case become the verifier's arguments, and what `recorded-v1` is."""

from collections.abc import Mapping

from confide.attest.evidence import Kind
from conformance.kinds import azure, cca, nitro, nvidia, sgx, snp, tdx, tpm
from conformance.kinds.case import Adapter

ADAPTERS: Mapping[str, Adapter] = {
    Kind.SNP.value: snp.ADAPTER,
    Kind.SGX.value: sgx.ADAPTER,
    Kind.TDX.value: tdx.ADAPTER,
    Kind.NITRO.value: nitro.ADAPTER,
    Kind.NITROTPM.value: nitro.ADAPTER,
    Kind.CCA.value: cca.ADAPTER,
    Kind.TPM.value: tpm.ADAPTER,
    Kind.NVIDIA.value: nvidia.ADAPTER,
    Kind.AZ_SNP_VTPM.value: azure.ADAPTER,
    Kind.AZ_TDX_VTPM.value: azure.ADAPTER,
}
