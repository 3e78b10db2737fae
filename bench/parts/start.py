"""How long a command takes to say its version, beside the least that a click command can take."""

from __future__ import annotations

import sys

from bench.places import FLOWYARD, PEER_PF, SCRATCH, has_peer, own_env, peer_env
from bench.table import Row
from bench.timing import time_command

_HELLO = "import click\n\n\n@click.command()\ndef hello():\n    click.echo('hello')\n\n\nhello()\n"


def run(runs: int) -> list[Row]:
    SCRATCH.mkdir(exist_ok=True)
    hello = SCRATCH / "hello.py"
    hello.write_text(_HELLO, "utf-8")
    floor = time_command("a bare click command", [sys.executable, hello], runs=runs * 5)
    ours = time_command("flowyard --version", [*FLOWYARD, "--version"], runs=runs * 5, env=own_env())
    rows = [Row("start", "--version beside a bare click command", ours.best, floor.best, floor.min_s / ours.min_s)]
    if has_peer():
        peer = time_command("pf --version", [PEER_PF, "--version"], runs=runs, env=peer_env())
        rows.append(Row("start", "--version", ours.best, peer.best, peer.min_s / ours.min_s))
    return rows
