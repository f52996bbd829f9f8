"""The parts of a running node that inner routes are made from (`server.node` makes them, `server.routes` use them)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from confide.engine.pool import Pool
from confide.guest.admissions import Admissions
from confide.guest.epochs import Epochs
from confide.server.config import NodeConfig
from confide.server.models import Models
from confide.server.owners import Owners
from confide.server.proof import Proof
from confide.server.uploads import Uploads


@dataclass
class Parts:
    """What one node is made of, as far as inner routes need it."""

    config: NodeConfig
    models: Models
    engine: Pool
    proof: Proof
    now: Callable[[], datetime]
    admissions: Admissions
    epochs: Epochs
    owners: Owners
    uploads: Uploads
