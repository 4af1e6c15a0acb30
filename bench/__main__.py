"""`python -m bench`: ask all questions, or some, and write the table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.machine import this_machine
from bench.peers.devpi import DevpiPeer
from bench.peers.nginx import NginxPeer
from bench.peers.wheelyard import WheelyardPeer
from bench.questions import catch_up, large_file, memory, simple_page, small_file, uploads, visible
from bench.report import missed, render, table
from bench.run import Run
from bench.settings import FULL, QUICK, Settings
from bench.tools import install_missing
from bench.wrk import wrk_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.peers.peer import FilePeer, IndexPeer
    from bench.results import Result

ROOT = Path(__file__).resolve().parent.parent
# Visible first, while devpi's replica has little to catch up with; memory last, when all has been asked.
QUESTIONS = {
    question.NAME: question
    for question in (visible, simple_page, small_file, large_file, uploads, catch_up, memory)
}
PEERS = ("wheelyard", "devpi", "nginx")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench, and return the status the process ends with."""
    options = _parser().parse_args(arguments)
    settings = QUICK if options.quick else FULL
    is_complete = not (options.quick or options.only or set(options.peers) != set(PEERS))
    out: Path = options.out or (ROOT / "bench" if is_complete else ROOT / ".bench")
    out.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python -m bench", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        if options.install:
            install_missing(options.peers)
        with tempfile.TemporaryDirectory(prefix="wheelyard-bench-") as work:
            results, circumstances = _run(
                settings, Path(work), options.peers, options.only or list(QUESTIONS)
            )
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    lines = [
        result.as_line({k: v for k, v in circumstances.items() if k != "machine_text"}) for result in results
    ]
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (out / "RESULTS.md").write_text(
        render(results, circumstances=circumstances, command=command), encoding="utf-8"
    )
    print("\n".join(table(results)))
    for line in missed(results):
        print(f"missed: {line}")
    print(f"written: {out / 'RESULTS.md'}, {out / 'results.jsonl'}")
    return os.EX_OK


def _run(
    settings: Settings, work: Path, names: Sequence[str], questions: Sequence[str]
) -> tuple[list[Result], dict[str, Any]]:
    """Ask the questions.

    Raises:
        BenchError: A tool is missing, a peer failed, or the load was not clean.

    """
    everyone: dict[str, IndexPeer] = {
        "wheelyard": WheelyardPeer(work),
        "devpi": DevpiPeer(ROOT / ".bench" / "devpi-venv", work),
    }
    indexes = [peer for name, peer in everyone.items() if name in names]
    files: list[FilePeer] = [NginxPeer(workers=settings.nginx_workers)] if "nginx" in names else []
    # All tools first: what is missing should be said at once, not after ten minutes.
    versions = {peer.name: peer.version() for peer in [*indexes, *files]}
    versions |= {"wrk": wrk_version(), "python": platform.python_version()}
    run = Run(settings, work, indexes, files)
    results: list[Result] = []
    try:
        for name, question in QUESTIONS.items():
            if name in questions:
                results += question.ask(run)
    finally:
        run.close()
    machine = this_machine()
    return results, {
        "machine": machine.as_json(),
        "machine_text": str(machine),
        "versions": versions,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - run.started_at, 1),
        "settings": asdict(settings),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny runs that prove that the bench works")
    parser.add_argument(
        "--only", action="append", choices=sorted(QUESTIONS), help="ask this question; may repeat"
    )
    parser.add_argument(
        "--peers", type=_peers, default=list(PEERS), help=f"of {','.join(PEERS)}; default all"
    )
    parser.add_argument("--install", action="store_true", help="as root, install missing Debian packages")
    parser.add_argument("--out", type=Path, help="folder for RESULTS.md and results.jsonl")
    return parser


def _peers(words: str) -> list[str]:
    names = words.split(",")
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"unknown peers: {', '.join(sorted(unknown))}")
    if not {"wheelyard", "devpi"} & set(names):
        raise argparse.ArgumentTypeError("nginx serves what an index answers: add wheelyard or devpi")
    return names


if __name__ == "__main__":
    sys.exit(main())
