"""The snippets of docs/python.md about ``import flowyard`` run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from functional_helper import clean_environment
from places import ROOT

SNIPPETS = [
    code
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL)
    if code.startswith("import flowyard\n\n")
]


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) == 2


@pytest.mark.parametrize(("place", "expected"), [(0, "few_shot"), (1, "'exact.exact_match': 1.0")])
def test_snippets_run(place: int, expected: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SNIPPETS[place]],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=clean_environment({"FLOWYARD_HOME": str(tmp_path)}),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
