"""``wheelyard check``: verify a data directory that no process has open."""

import sys
from pathlib import Path

import click
from rich.console import Console

from node.cli.output import described, fail
from storage.check import check
from storage.errors import StorageError
from storage.findings import CheckReport


@click.command("check")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--repair",
    is_flag=True,
    help="set damaged blobs aside and have a replica fetch them again, remove stray files; records stay as they are",
)
def check_command(directory: Path, *, repair: bool) -> None:
    """Verify log, state and blobs of a stopped node; exit status 1 when something is damaged."""
    console = Console(stderr=True)
    try:
        with console.status("opening") as status:

            def show(what: str, count: int) -> None:
                status.update(f"{count:,} {what}")

            report = check(directory, repair=repair, progress=show)
    except StorageError as error:
        fail(str(error))
    except OSError as error:
        fail(described(error))
    for finding in report.findings:
        click.echo(str(finding))
    click.echo(summary(report))
    sys.exit(0 if report.is_clean else 1)


def summary(report: CheckReport) -> str:
    """Return what was verified, as the last line."""
    counted = f"{report.entries:,} entries, {report.keys:,} keys, {report.blobs:,} blobs ({report.blob_bytes:,} bytes)"
    pending = f", {report.pending_blobs:,} blobs still to be fetched" if report.pending_blobs else ""
    verdict = "clean" if report.is_clean else "DAMAGED"
    return f"{verdict} at {report.position}: {counted}{pending}"
