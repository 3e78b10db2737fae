"""How long it takes to register data again that has not changed, beside reading it once; and whether that writes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

from bench.places import SCRATCH, own_env
from bench.table import Row

_FILES, _BYTES = 10_000, 100_000
_WANTED = 3
"""How many times as long as reading once it may take."""

_MEASURE = """
import json, os, sys, time
from pathlib import Path
from flowyard.registry import open_registry
from flowyard.settings import Settings

data, home, runs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def read_once():
    buffer = bytearray(1 << 20)
    for folder, _, names in os.walk(data):
        for name in names:
            with open(f"{folder}/{name}", "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

def timed(work):
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done

def written():
    kept = [path for path in (home / "registry").rglob("*") if path.is_file()]
    return {str(path): path.stat().st_mtime_ns for path in [*kept, home / "flowyard.db"]}

registry = open_registry(Settings.read(home=str(home)))
registry.register(data, "bench")
before = written()
read_once()
reads, again = [], []
for _ in range(runs):
    reads.append(timed(read_once)[0])
    took, registered = timed(lambda: registry.register(data, "bench"))
    assert not registered.is_new
    again.append(took)
changed = len(set(written().items()) - set(before.items()))
print(json.dumps({"read_s": min(reads), "again_s": min(again), "changed": changed}))
"""


def run(runs: int) -> list[Row]:
    data, home = _data(), SCRATCH / "registry_home"
    shutil.rmtree(home, ignore_errors=True)
    words = [sys.executable, "-c", _MEASURE, data, home, str(max(runs, 3))]
    done = subprocess.run(words, env=own_env(), capture_output=True, text=True, check=True)
    shutil.rmtree(home)
    found = json.loads(done.stdout)
    title = f"{_FILES:,} files, {_FILES * _BYTES / 1e9:.0f} GB, registered again"
    ratio = found["read_s"] / found["again_s"]
    note = "files in the page cache, in one process; beside reading them once"
    return [
        Row("registry", title, f"{found['again_s']:.2f} s", f"{found['read_s']:.2f} s", ratio, 1 / _WANTED, note),
        Row("registry", "files written by that", str(found["changed"]), "0", 0.0 if found["changed"] else 1.0, 1),
    ]


def _data() -> Path:
    """The files, each with other bytes; made once."""
    folder, source = SCRATCH / "registry_data", random.Random(1)
    if not folder.exists():
        half = folder.with_name("registry_data_half")
        shutil.rmtree(half, ignore_errors=True)
        for number in range(_FILES):
            file = half / f"{number % 100:02}" / f"{number:05}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source.randbytes(_BYTES))
        half.rename(folder)
    return folder
