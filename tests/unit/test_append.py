"""Adding to a file: all of it or nothing, also when there is no more room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flowyard._util.files import append_all

FILL = """\
import resource, sys
from pathlib import Path
from flowyard._util.files import append_all

path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
append_all(path, b"0123456789\\n", durable=True)
try:
    append_all(path, b"x" * 20 + b"\\n", durable=False)
except OSError as error:
    print(error.errno)
print(path.read_bytes())
append_all(path, b"fits\\n", durable=False)
"""


def test_what_does_not_fit_leaves_no_trace(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    done = subprocess.run([sys.executable, "-c", FILL, path], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["27", "b'0123456789\\n'"]
    assert path.read_bytes() == b"0123456789\nfits\n"


def test_what_is_there_stays(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    for text in (b"one\n", b"", b"two\n" * 100_000):
        append_all(path, text, durable=False)
    assert path.read_bytes() == b"one\n" + b"two\n" * 100_000
