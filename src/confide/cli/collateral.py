"""`confide collateral`: get what vendors publish into a node's folder, and see when it ends."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.options import PATH, gpus_option, json_option, option, timeout_option, vtpm_option
from confide.cli.output import emit, emit_json, note, table

NEVER = 9999  # RFC 5280 section 4.1.2.5: a certificate without a well-defined end
LONG = 1000  # days; beyond, years are read faster


@click.group("collateral", short_help="Get a node's vendor certificates and lists, and see when they end.")
def command() -> None:
    """Vendor certificates, revocation lists, TCB data and manifests.

    A node gives them to its clients, who need no network. It reads them from its collateral_dir.
    """


@command.command("fetch", short_help="Ask the vendor for what this machine's evidence needs.")
@option("--into", type=PATH, required=True, metavar="FOLDER", help="The node's collateral_dir; files there are replaced.")
@option("--tee", "kind", metavar="KIND", help="As the node's setting; by default what a node would choose.")
@gpus_option
@vtpm_option
@option("--source", default="vendors", show_default=True, metavar="vendors|URL", help="The vendors' services, or a cache (PCCS).")
@json_option
def fetch(into: Path, kind: str | None, gpus: str, source: str, *, vtpm: bool, as_json: bool) -> None:
    """Take evidence on this machine, ask the vendor for everything that verifiers of it need, and write it into a folder.

    Run it where the node runs, from time to time: the node reads the folder anew for each quote.
    """
    from confide.guest.stocking import stock  # noqa: PLC0415 - the library loads when a command runs

    note(f"asking {'the vendor' if source == 'vendors' else source}; a service that is busy is asked again for up to a minute")
    stocked = stock(into, source, prefer=kind, gpus=gpus, vtpm=vtpm)
    _show([(each.file, each.ends, each.size) for each in stocked], as_json=as_json, place=str(into))


@command.command("list", short_help="Show what a node, a folder or a bundle file holds, and when it ends.")
@click.argument("source", metavar="URL|FOLDER|BUNDLE")
@option("--prometheus", is_flag=True, help="Print days left in Prometheus' text format, for a node exporter's folder.")
@timeout_option
@json_option
def show(source: str, *, prometheus: bool, timeout: float, as_json: bool) -> None:
    """Show each piece of collateral of a node, in a node's folder or in a bundle file, soonest end first.

    Nothing is verified: it is what is written in the pieces.
    """
    from confide.client.source import is_url, obtain  # noqa: PLC0415
    from confide.collateral import bundles  # noqa: PLC0415

    live = is_url(source)
    found = bundles.pieces_of_bytes(obtain(source, timeout=timeout).document) if live else bundles.pieces(Path(source))
    rows = [(each.file, each.ends, each.size) for each in found]
    if prometheus:
        emit("\n".join(_gauges(rows, datetime.now(UTC))))
    else:
        _show(rows, as_json=as_json, place=source)


def _gauges(rows: list[tuple[str, datetime | None, int]], now: datetime) -> Iterator[str]:
    """Prometheus' text exposition format, 0.0.4: labels escape backslash, quote and line feed."""
    name = "confide_collateral_days_left"
    yield from (f"# HELP {name} Days until this piece of collateral ends.", f"# TYPE {name} gauge")
    for piece, ends, _ in rows:
        days = _days(ends, now)
        label = piece.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        if days is not None:
            yield f'{name}{{piece="{label}"}} {days}'


def _show(rows: list[tuple[str, datetime | None, int]], *, as_json: bool, place: str) -> None:
    now = datetime.now(UTC)
    if as_json:
        pieces = [
            {"name": name, "bytes": size, "ends": ends and f"{ends:%Y-%m-%dT%H:%M:%SZ}", "days_left": _days(ends, now)}
            for name, ends, size in rows
        ]
        emit_json({"place": place, "pieces": pieces})
        return
    if not rows:
        emit(f"{place}  holds no collateral; evidence of Nitro, NitroTPM and Arm CCA needs none")
        return
    emit(place)
    emit(table((name, f"{size:,} bytes", _told(ends, now)) for name, ends, size in rows))


def _days(ends: datetime | None, now: datetime) -> float | None:
    return None if ends is None else round((ends - now).total_seconds() / 86400, 2)


def _told(ends: datetime | None, now: datetime) -> str:
    days = _days(ends, now)
    if ends is None or days is None:
        return "does not say when it ends"
    if ends.year == NEVER:
        return "never ends"
    if days < 0:
        return f"ended {ends:%Y-%m-%d %H:%M} UTC, {-days:.1f} days ago"
    left = f"{days:.1f} days" if days < LONG else f"{days / 365.25:.0f} years"
    return f"ends {ends:%Y-%m-%d %H:%M} UTC, in {left}"
