"""``python -m …serve_start PARENT WORD…``: the command line, ended by the kernel together with its supervisor."""

from __future__ import annotations

import runpy
import sys

from flowyard._util.end_with import end_with

if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    sys.argv = ["flowyard", *sys.argv[2:]]
    runpy.run_module("flowyard", run_name="__main__")
