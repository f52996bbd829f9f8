"""What a kind of evidence proves, who vouches for it, and what it does not prove however many checks held: for people.

The same words stand on the pages of docs/platforms/, which say more. Left to others: what one document leaves unchecked
(`Checks.skip`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from confide.attest.evidence import Kind


@dataclass(frozen=True)
class Meaning:
    """Of one kind.

    Attributes:
        name: in the vendor's words.
        vendor: who vouches.
        proves: one clause; the subject is the evidence.
        not_proven: one clause each.
    """

    name: str
    vendor: str
    proves: str
    not_proven: tuple[str, ...]


EVERY = "that the measured software is free of faults, or does what its name says: whoever chose the values answers for it"
_HOST_VIEW = "that time, files, devices and network are what the host shows the guest"

MEANINGS: Mapping[Kind, Meaning] = {
    Kind.SNP: Meaning(
        "AMD SEV-SNP virtual machine",
        "AMD",
        "a genuine AMD processor started this initial memory (MEASUREMENT), and keeps memory from the host",
        ("what the guest loaded later, unless what was measured checked it", _HOST_VIEW),
    ),
    Kind.SGX: Meaning(
        "Intel SGX enclave",
        "Intel",
        "a genuine Intel processor runs this enclave (MRENCLAVE, MRSIGNER), and keeps its memory from the host",
        ("that time, files and the order of calls are what the host says",),
    ),
    Kind.TDX: Meaning(
        "Intel TDX virtual machine",
        "Intel",
        "a genuine Intel processor started this firmware (MRTD), which measured what it booted (RTMR0 to RTMR2), and keeps memory "
        "from the host",
        ("what runs, by MRTD alone: the kernel stands in RTMR1 and RTMR2", _HOST_VIEW),
    ),
    Kind.NITRO: Meaning(
        "AWS Nitro Enclave",
        "AWS",
        "AWS's hypervisor started this enclave image (PCR0, PCR1, PCR2) apart from its parent instance",
        ("anything without AWS: no maker of the processor vouches, and AWS keeps the memory", "what PCRs say that no entry names"),
    ),
    Kind.NITROTPM: Meaning(
        "EC2 instance with NitroTPM",
        "AWS",
        "AWS's hypervisor started an instance whose firmware measured what it booted (PCR4, PCR7, PCR11, PCR12)",
        ("that memory is kept from AWS: only what was booted is shown", "what PCRs say that no entry names"),
    ),
    Kind.TPM: Meaning(
        "quote of a cloud's virtual TPM",
        "the cloud, whose hypervisor makes the TPM",
        "the firmware of this machine measured what it booted into PCRs, as far as the host is honest",
        ("confidential computing: that memory is kept from the cloud is not shown, whatever the firmware says of itself",),
    ),
    Kind.AZ_SNP_VTPM: Meaning(
        "Azure confidential VM on SEV-SNP",
        "AMD, and Microsoft's paravisor, which AMD's report measures",
        "a genuine AMD processor started this paravisor, whose virtual TPM measured what the VM booted (PCRs), and keeps memory "
        "from the host",
        ("that the paravisor is faultless: it is Microsoft's", "when the hardware's report was made: only the quote is fresh"),
    ),
    Kind.AZ_TDX_VTPM: Meaning(
        "Azure confidential VM on TDX",
        "Intel, and Microsoft's paravisor, which Intel's quote measures",
        "a genuine Intel processor started this paravisor, whose virtual TPM measured what the VM booted (PCRs), and keeps memory "
        "from the host",
        ("that the paravisor is faultless: it is Microsoft's", "when the hardware's quote was made: only the TPM's is fresh"),
    ),
    Kind.NVIDIA: Meaning(
        "NVIDIA GPU or NVSwitch",
        "NVIDIA",
        "a genuine device answered for this session, with the firmware, driver and VBIOS that NVIDIA's manifests describe",
        (
            "that its confidential mode is on and development tools are off: the measured guest answers for that",
            "anything about the machine around it: the TEE's own evidence does that",
        ),
    ),
    Kind.CCA: Meaning(
        "Arm CCA realm (experimental)",
        "whoever gave you the platform's key, which the policy pins",
        "a platform with that key and this firmware started this realm (RIM), which extended REM0 to REM3",
        ("who made the platform: there is no vendor's root", "when the token was made: only a nonce in it shows that"),
    ),
}
