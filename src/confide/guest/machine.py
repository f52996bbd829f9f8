"""A TEE and what stands beside it, asked together: one machine, one set of evidence (spec/07i-composite.md).

    nonces, keyset -> each GPU over its own nonce -> the TEE over all of it, the TPM over the same -> one `Quote` with the others

The TEE comes last, because its evidence covers what the GPUs answered. GPUs answer at the same time: each takes a good part of a
second. Left to others: finding them (`tee`, `gpus`), the pace (`quoter`), the document (`documents`).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from confide.attest.binding import binding, gpu_nonce, join_device_evidence
from confide.attest.evidence import Roots
from confide.attest.roots import VENDOR_ROOTS
from confide.codes import Code
from confide.collateral.keeper import Keeper
from confide.collateral.sources import keeper_of
from confide.guest import GuestError
from confide.guest.devices.checked import utc_now
from confide.guest.gpus import NONE, open_gpus
from confide.guest.quote import Quote, Tee
from confide.guest.tee import SNP, TDX, TPM, detect

WITH_TPM = (SNP, TDX)  # spec/07i-composite.md, COMP-1


@dataclass(frozen=True)
class Subject:
    """What a quote is over: the root of the nonces (or `NO_NONCES`), and the exact bytes of the keyset."""

    nonces: bytes
    keyset: bytes = field(repr=False)


class Machine:
    """The TEE of a node.

    Args:
        tpm: a cloud's TPM, whose quote stands beside the TEE's evidence.
        gpus: in index order; each one's `attestation_key_sha256` is its leaf key's.
    """

    def __init__(self, tee: Tee, *, tpm: Tee | None = None, gpus: Sequence[Tee] = ()) -> None:
        self.tee, self.tpm, self.gpus = tee, tpm, tuple(gpus)

    @property
    def parts(self) -> tuple[Tee, ...]:
        """All of it, the TEE first."""
        return (self.tee, *self.gpus, *([] if self.tpm is None else [self.tpm]))

    @property
    def simulated(self) -> bool:
        """Whether a false vendor signs for any part."""
        return any(part.simulated for part in self.parts)

    @property
    def tpm_key_sha256(self) -> bytes | None:
        """The key that the keyset names as the TPM's."""
        return (self.tee if self.tpm is None else self.tpm).attestation_key_sha256

    @property
    def gpu_keys_sha256(self) -> tuple[bytes, ...]:
        """The leaf keys that the keyset names, in index order."""
        return tuple(gpu.attestation_key_sha256 or b"" for gpu in self.gpus)

    def renew(self) -> None:
        """As `Tee.renew`, of every part; one that fails does not keep the others from it, and the first failure is raised."""
        failures = []
        for part in self.parts:
            try:
                part.renew()
            except Exception as error:  # noqa: BLE001 - a device's driver may fail as it likes
                failures.append(error)
        if failures:
            raise failures[0]

    def quote(self, subject: Subject) -> Quote:
        """Evidence of all parts over `subject`. May block as long as the slowest part; call it off the event loop."""
        nonces, keyset = subject.nonces, subject.keyset
        devices = _together(self.gpus, [gpu_nonce(nonces=nonces, keyset=keyset, index=i) for i in range(len(self.gpus))])
        reports = [part for each in devices for part in each.evidence.items.values()]
        bound = binding(nonces=nonces, keyset=keyset, device_evidence=join_device_evidence(reports))
        beside = [] if self.tpm is None else [self.tpm.quote(bound)]
        own = self.tee.quote(bound)
        others = (*devices, *beside)
        return replace(own, others=others, fresh_until=min(each.fresh_until for each in (own, *others)))

    def __repr__(self) -> str:
        return f"Machine({', '.join(map(repr, self.parts))})"


def open_machine(
    tee: str | None,
    *,
    gpus: str = NONE,
    vtpm: bool = False,
    software_digest: bytes,
    root: Path = Path("/"),
    collateral_dir: Path | None = None,
    collateral_source: str = "",
    roots: Roots = VENDOR_ROOTS,
    now: Callable[[], datetime] = utc_now,
) -> Machine:
    """The machine that this process runs on, each part of it verified. May ask vendors' services.

    Args:
        tee, software_digest, root: as `tee.detect`.
        gpus: as `gpus.open_gpus`.
        vtpm: a quote of the cloud's TPM beside the TEE's evidence.
        collateral_dir, collateral_source: of all parts.

    Raises:
        GuestError: what the parts raise; `guest.device` for a TPM beside a TEE of another kind than `WITH_TPM`.
        MisuseError: `collateral.service`.
    """

    def keeper() -> Keeper | None:
        return keeper_of(collateral_source, now=now)

    def found(kind: str | None) -> Tee:
        digest = software_digest
        return detect(kind, software_digest=digest, root=root, collateral_dir=collateral_dir, keeper=keeper(), roots=roots, now=now)

    own = found(tee)
    if vtpm and own.kind not in WITH_TPM:
        hint = "leave the setting vtpm out: the other kinds carry their TPM's quote, or have none"
        raise GuestError(Code.GUEST_DEVICE, found=f"vtpm beside {own.kind}", wanted=" or ".join(WITH_TPM), hint=hint)
    devices = open_gpus(gpus, collateral_dir=collateral_dir, keeper=keeper, roots=roots, now=now)
    return Machine(own, tpm=found(TPM) if vtpm else None, gpus=devices)


def _together(devices: Sequence[Tee], wanted: Sequence[bytes]) -> list[Quote]:
    """Each device's quote. Their threads are daemons: the process may end without them. Raises the first failure."""
    answers: list[Quote | Exception | None] = [None] * len(devices)

    def work(index: int) -> None:
        try:
            answers[index] = devices[index].quote(wanted[index])
        except Exception as error:  # noqa: BLE001 - a device's driver may fail as it likes; told below, on the asker's thread
            answers[index] = error

    threads = [threading.Thread(target=work, args=(index,), name="gpu", daemon=True) for index in range(len(devices))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            found.append(answer)
    return found
