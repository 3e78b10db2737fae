"""Changes the traffic of an endpoint again and again, killed at another write below the home each time.

    python traffic_fault_points.py HOME ATTEMPTS

The working directory is the use case, whose versions 1 and 2 are deployed to ``prod``; the cluster is elsewhere. After
each kill, the same command in another process comes to what it comes to without one. Each attempt is a forked process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import kubernetes.config  # noqa: F401 - once, and not in each attempt
from command_fault_points import Places, forked
from fault_points import NEVER, import_what_is_imported

from flowyard.cli.main import main

SHOW = ("deploy", "traffic", ".", "--env", "prod", "--json")


def command(*words: str) -> tuple[int, str]:
    """Carry a command out in this process; its exit code, and what it printed."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return code, out.getvalue() or err.getvalue()


def noted(base: Path, work: Callable[[], Any]) -> Any:
    """What work in a forked process came to; None when it was killed."""
    note = base / "noted"
    note.unlink(missing_ok=True)

    def carry_out() -> None:
        note.write_text(json.dumps(work()))

    forked(carry_out)
    return json.loads(note.read_text()) if note.exists() else None


def killed(base: Path, home: str, kind: str, at: int, words: tuple[str, ...]) -> Any:
    """How many places there were, None after a kill."""

    def work() -> int:
        places = Places(kind, at, home, note=base / "place")
        places.install()
        assert command(*words)[0] == 0
        return places.seen

    return noted(base, work)


def run(home: str, attempts: int) -> list[dict[str, Any]]:
    base = Path(home).parent / "attempts"
    base.mkdir()
    words = {share: (*SHOW, "--set", f"1={100 - share},2={share}") for share in (10, 20)}
    import_what_is_imported(lambda: command(*words[10]), base / "modules")
    seen = [killed(base, home, "none", NEVER, words[share]) for share in (20, 10, 20)][-1]
    found = []
    for number in range(attempts):
        share, kind = (10, 20)[number % 2], ("kill before", "kill after")[number // 2 % 2]
        place = 1 + number * (seen - 1) // max(1, attempts - 1)
        was_killed = killed(base, home, kind, place, words[share]) is None
        shown, (code, text) = noted(base, lambda share=share: [command(*SHOW), command(*words[share])])  # type: ignore[misc]
        between, after = json.loads(shown[1])["traffic"], json.loads(text)
        shares = list(after["traffic"].values())
        found.append(
            {
                "place": (base / "place").read_text(),
                "killed": was_killed,
                "sum": sum(between.values()),
                "again": code,
                "right": shares == [100 - share, share] and after["change"]["state"] == "done",
            }
        )
    return found


if __name__ == "__main__":
    json.dump(run(sys.argv[1], int(sys.argv[2])), sys.stdout)
