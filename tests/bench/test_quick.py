from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from bench.__main__ import QUESTIONS, main
from bench.wrk import INSTALL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_quick_bench_answers_every_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bench works on Wheelyard alone: every question is asked once, with tiny parameters, of real processes."""
    if shutil.which("wrk") is None:
        pytest.skip(f"NOT TESTED, wrk is missing: install it with `{INSTALL}`")

    status = main(["--quick", "--peers", "wheelyard", "--out", str(tmp_path)])

    said = capsys.readouterr()
    assert status == 0, said.err
    lines = [
        json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {line["question"] for line in lines} == set(QUESTIONS)
    assert all(line["median"] > 0 and line["machine"] and line["versions"] for line in lines)
    assert "| simple page, many files, JSON |" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_missing_tool_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.peers.nginx.shutil.which", lambda *_args, **_words: None)

    status = main(["--quick", "--peers", "wheelyard,nginx", "--out", str(tmp_path)])

    assert status != 0
    assert "is missing: install it with `" in capsys.readouterr().err
    assert not (tmp_path / "RESULTS.md").exists()
