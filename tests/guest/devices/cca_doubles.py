"""A double of configfs-tsm in a realm of Arm CCA whose tokens a false platform makes.

The rules are those of drivers/virt/coco/arm-cca-guest/arm-cca-guest.c (Linux 6.13): a challenge of 32 to 64 bytes, filled with
zeros to 64; attributes of every sort, since the driver hides none, and an `auxblob` that stays empty.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.guest.devices.doubles import Machine, Tsm, tsm_machine
from tests.guest.devices.fuse import RefusalError

from confide.guest.devices.cca import KEY_FILE
from confide_sim import arm
from confide_sim.arm import FalseRealm

LARGEST = 32 << 10  # TSM_REPORT_OUTBLOB_MAX, include/linux/tsm.h: a larger result is EFBIG (fs/configfs/file.c)


@dataclass
class Realm(Machine):
    """A realm on the false platform. `fields` are of `FalseRealm.token`; `edited` is what a broken monitor makes of a token."""

    table: bytes | None = b""
    realm: FalseRealm = field(default_factory=lambda: FalseRealm(seed=b"guest"))
    fields: dict[str, Any] = field(default_factory=dict)
    edited: Callable[[bytes], bytes] = lambda token: token

    def report(self, report_data: bytes, vmpl: int) -> bytes:
        """A token, with the faults of a machine."""
        challenge = report_data.ljust(64, b"\x00")
        super().report(challenge, vmpl)
        token = self.edited(self.realm.token(challenge, **self.fields))
        if len(token) > LARGEST:
            raise RefusalError(errno.EFBIG)
        return token


@contextlib.contextmanager
def realm_machine(realm: Realm, **tsm: Any) -> Iterator[Path]:
    """A root with configfs-tsm of a realm."""
    with tsm_machine(Tsm(realm, **{"provider": "arm_cca_guest", "least": 32, **tsm})) as root:
        yield root


def give(folder: Path, key: bytes | None = None) -> Path:
    """The folder with the platform's key, as an operator gets it."""
    (folder / KEY_FILE).write_bytes(arm.root().der if key is None else key)
    return folder
