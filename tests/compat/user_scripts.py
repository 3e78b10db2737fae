"""The scripts under ``scripts``: each prints ``RESULT`` and JSON; ``expected`` holds what promptflow makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from functional_helper import ending, start_flowyard

__all__ = ["SCRIPTS", "copy_scripts", "expected_results", "results", "run_script", "simulated_model"]

FOLDER = Path(__file__).with_name("scripts")
SCRIPTS = sorted(file.stem for file in (FOLDER / "expected").glob("*.jsonl"))
RULES = 'rules:\n- reply: "Answer"\n'


def expected_results(script: str) -> list[Any]:
    """What the script prints in promptflow."""
    return [json.loads(line) for line in (FOLDER / "expected" / f"{script}.jsonl").read_text("utf-8").splitlines()]


def copy_scripts(folder: Path) -> Path:
    """A copy to run in, because promptflow writes beside the flows."""
    target: Path = shutil.copytree(FOLDER, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__", "expected"))
    return target


def run_script(
    command: Sequence[str | Path], folder: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run one; promptflow takes seconds for each run over data."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWYARD_", "PF_", "PYTHON"))}
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )


def results(stdout: str) -> list[Any]:
    """What a script printed for us, without what its interpreter logged."""
    marked = [line.removeprefix("RESULT ") for line in stdout.splitlines() if line.startswith("RESULT ")]
    return [json.loads(line) for line in marked]


@contextmanager
def simulated_model(folder: Path) -> Iterator[str]:
    """The address of a model that both answer from."""
    (folder / "rules.yaml").write_text(RULES, "utf-8")
    ready = folder / "ready"
    with ending(start_flowyard("simulate", folder / "rules.yaml", "--ready-file", ready, cwd=folder)) as server:
        while not (ready.exists() and ready.read_text("utf-8")):
            assert server.poll() is None, "the simulated model did not start"
        yield f"{ready.read_text('utf-8').strip()}/v1"
