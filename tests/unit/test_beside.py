"""Work beside each other gives what it gives one after the other, whatever happens to the other process."""

import os
import subprocess
import sys
import threading

from flowyard._util.beside import beside

SCRIPT = """
import os, sys
from flowyard._util.beside import beside

{there}
parent = os.getpid()
try:
    here, there = beside(lambda: os.getpid(), work)
except Exception as error:
    print("raised", error, flush=True)
else:
    print(here == parent, there, flush=True)
"""


def run(there: str) -> str:
    script = SCRIPT.format(there=there)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_the_other_work_has_a_process_of_its_own():
    is_forked = sys.platform == "linux" and (os.cpu_count() or 1) > 1
    assert run("def work(): return os.getpid() != parent") == f"True {is_forked}"


def test_what_fails_there_is_raised_here():
    assert run("def work(): raise ValueError('no room')") == "raised no room"


def test_a_process_that_ends_costs_nothing():
    assert run("def work():\n    if os.getpid() != parent: os._exit(9)\n    return 'again'") == "True again"


def test_a_result_that_cannot_travel_is_made_here():
    assert run("def work(): return (lambda: 1).__name__ if os.getpid() == parent else (lambda: 1)") == "True <lambda>"


def test_with_other_threads_nothing_is_forked():
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        assert beside(os.getpid, os.getpid) == (os.getpid(), os.getpid())
    finally:
        over.set()
        other.join()
