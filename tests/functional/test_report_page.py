"""The report in a real browser: its own script runs, and nothing that came with the data does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowyard.records import ExperimentRecord, LineCounts, LineResult, RunRecord
from flowyard.reports import write_reports
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder

BROWSER = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
ATTACK = "document.title='owned';document.body.dataset.owned='yes'"
HOSTILE = f'</script><script>{ATTACK}</script><img src=x onerror="{ATTACK}"><svg onload="{ATTACK}">'

pytestmark = pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    line = LineResult(0, "completed", {"question": HOSTILE}, {HOSTILE: HOSTILE}, duration_s=0.1)
    with ResultWriter(tmp_path / "lines.jsonl") as writer:
        writer.append(LineEncoder(tmp_path / "media").finished(line))
    runs = tuple(
        RunRecord(f"run-{place}", "completed", "flow", tmp_path, dataset=dataset, lines=LineCounts(1, 1, 0))
        for place, dataset in enumerate(("tickets", HOSTILE))
    )
    variants = {run.name: {"classify": HOSTILE} for run in runs}
    record = ExperimentRecord(HOSTILE, "key", tmp_path, "2025-03-01T10:20:30+00:00", None, runs, variants, {})
    return write_reports(record, None, tmp_path / "out", ["html"])["html"][0]


def test_only_the_pages_own_script_runs(report: Path, tmp_path: Path) -> None:
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(BROWSER), *FLAGS, profile, "--dump-dom", report.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert '<html lang="en" class="js">' in shown
    assert '<span class="found" role="status">1 of 1 lines</span>' in shown
    assert "<title>owned" not in shown
    assert 'data-owned="yes"' not in shown
    assert "<img" not in shown
