"""`confide collateral`: get what vendors publish into a node's folder, and see when it ends."""

from datetime import UTC, datetime
from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option
from confide.cli.output import emit, emit_json, note, table


@click.group("collateral", short_help="Get a node's vendor certificates and lists, and see when they end.")
def command() -> None:
    """Vendor certificates, revocation lists, TCB data and manifests.

    A node gives them to its clients, who need no network. It reads them from its collateral_dir.
    """


@command.command("fetch", short_help="Ask the vendor for what this machine's evidence needs.")
@option("--into", type=PATH, required=True, metavar="FOLDER", help="The node's collateral_dir; files there are replaced.")
@option("--tee", "kind", metavar="KIND", help="As the node's setting; by default what a node would choose.")
@option("--source", default="vendors", show_default=True, metavar="vendors|URL", help="The vendors' services, or a cache (PCCS).")
@json_option
def fetch(into: Path, kind: str | None, source: str, *, as_json: bool) -> None:
    """Take evidence on this machine, ask the vendor for everything that verifiers of it need, and write it into a folder.

    Run it where the node runs, from time to time: the node reads the folder anew for each quote.
    """
    from confide.guest.stocking import stock  # noqa: PLC0415 - the library loads when a command runs

    note(f"asking {'the vendor' if source == 'vendors' else source}; a service that is busy is asked again for up to a minute")
    stocked = stock(into, source, prefer=kind)
    _show([(each.file, each.ends, each.size) for each in stocked], as_json=as_json, folder=into)


@command.command("list", short_help="Show what a folder or a bundle file holds, and when it ends.")
@click.argument("source", type=PATH, metavar="FOLDER|BUNDLE")
@json_option
def show(source: Path, *, as_json: bool) -> None:
    """Show each piece of collateral in a node's folder or in a bundle file, soonest end first."""
    from confide.collateral import bundles  # noqa: PLC0415

    found = bundles.pieces(source)
    _show([(each.file, each.ends, each.size) for each in found], as_json=as_json, folder=source)


def _show(rows: list[tuple[str, datetime | None, int]], *, as_json: bool, folder: Path) -> None:
    now = datetime.now(UTC)
    if as_json:
        pieces = [
            {"name": name, "bytes": size, "ends": None if ends is None else ends.isoformat(), "days_left": _days(ends, now)}
            for name, ends, size in rows
        ]
        emit_json({"place": str(folder), "pieces": pieces})
        return
    emit(f"{folder}" if rows else f"{folder}  holds no collateral")
    emit(table((name, f"{size:,} bytes", _told(ends, now)) for name, ends, size in rows))


def _days(ends: datetime | None, now: datetime) -> float | None:
    return None if ends is None else round((ends - now).total_seconds() / 86400, 2)


def _told(ends: datetime | None, now: datetime) -> str:
    days = _days(ends, now)
    if ends is None or days is None:
        return "does not say when it ends"
    return f"ended {ends:%Y-%m-%d %H:%M} UTC" if days < 0 else f"ends {ends:%Y-%m-%d %H:%M} UTC, in {days:.1f} days"
