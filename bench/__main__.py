"""``python -m bench``: prints what was run, on what, beside which peer, and how the two compare."""

from __future__ import annotations

import argparse
import compileall
import sys
from pathlib import Path

from bench.machine import facts, require_quiet
from bench.parts import PARTS
from bench.parts.engine import PROFILE
from bench.places import ROOT
from bench.table import Row, print_row, write_docs, write_json
from bench.timing import say


def main() -> int:
    options = _options()
    found = facts()
    for name, text in found.items():
        say(f"{name:<11} {text}")
    compileall.compile_dir(ROOT / "src", quiet=2)  # as every installed package is
    busy = require_quiet(force=options.force)
    found["before"] = f"other processes used {busy:.0%} of the cores; each figure is the best of its runs"
    rows: list[Row] = []
    for name in options.only or PARTS:
        for row in PARTS[name](options.runs):
            print_row(row)
            rows.append(row)
    if options.json:
        write_json(options.json, found, rows)
    if options.docs:
        write_docs(options.docs, found, rows, PROFILE.read_text("utf-8") if PROFILE.exists() else None)
    missed = [row for row in rows if row.met is False]
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each side of a figure (default 3)")
    parser.add_argument("--only", type=_parts, metavar="PART,…", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the table between the marks of this page")
    parser.add_argument("--force", action="store_true", help="measure although the machine is busy")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return text.split(",")


if __name__ == "__main__":
    sys.exit(main())
