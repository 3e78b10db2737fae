"""The tester by kills that `docs/performance.md` names, in small: it kills, resumes and compares by itself."""

import subprocess
import sys

from places import ROOT


def test_a_run_that_is_killed_again_and_again_loses_and_repeats_nothing():
    words = [sys.executable, "-m", "bench.kills", "--kills", "4", "--lines", "120", "--latency", "0.02", "--seed", "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kills" in done.stdout
