"""Serving, deploying and their tests need no network but the loopback of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

SAMPLE = ("tests/unit/wire", "tests/unit/deploy", "tests/functional/serving/test_flow_serve.py")
LOOPBACK_ONLY = """\
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:  # a new network has its loopback switched off
    fcntl.ioctl(made, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
    try:
        made.connect(("192.0.2.1", 9))
    except OSError:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])
sys.exit("there is a network")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives a process a network of its own")
def test_they_pass_where_there_is_only_the_loopback(tmp_path: Path):
    unshare = shutil.which("unshare")
    if unshare is None or os.getuid() != 0:
        pytest.skip("needs root and unshare")
    if subprocess.run([unshare, "--net", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine gives no process a network of its own")
    words = [sys.executable, "-c", LOOPBACK_ONLY, "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "inner"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [unshare, "--net", *words, *SAMPLE], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
