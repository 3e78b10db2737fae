"""A file that is written whole, and what is no file: that stays what it is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flowyard._util.files import write_atomic


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_written_to_and_stays(tmp_path: Path):
    """As ``--junit /dev/stdout`` is: a file in the place of a device would break every program of the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to("pipe")
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        for path in (pipe, tmp_path / "link"):
            write_atomic(path, "told")
            assert os.read(reader, 100) == b"told"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such device")
def test_what_stdout_goes_to_keeps_what_it_has(tmp_path: Path):
    """As with ``--markdown /dev/stdout >> "$GITHUB_STEP_SUMMARY"``."""
    program = "from pathlib import Path; from flowyard._util.files import write_atomic\n"
    program += "for each in ('one ', 'two'): write_atomic(Path('/dev/stdout'), each)"
    file = tmp_path / "summary.md"
    file.write_text("mine ")
    with file.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", program], stdout=stdout, check=True)
    assert file.read_text() == "mine one two"


def test_a_link_to_a_file_is_replaced_and_the_file_stays(tmp_path: Path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "link").symlink_to("other")
    write_atomic(tmp_path / "link", "told")
    assert ((tmp_path / "other").read_text(), (tmp_path / "link").read_text()) == ("mine", "told")
