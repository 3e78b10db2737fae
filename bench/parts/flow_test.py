"""One line through a flow, as a person tries a flow."""

from __future__ import annotations

from bench.flows import python_flow
from bench.places import FLOWYARD, PEER_PF, SCRATCH, has_peer, own_env, peer_env
from bench.table import Row
from bench.timing import time_command


def run(runs: int) -> list[Row]:
    words = ["flow", "test", "--flow", python_flow(), "--inputs", "text=hello"]
    ours = time_command("flowyard flow test", [*FLOWYARD, *words], runs=runs * 2, cwd=SCRATCH, env=own_env())
    if not has_peer():
        return [Row("test", "flow test, 3 python nodes", ours.best)]
    peer = time_command("pf flow test", [PEER_PF, *words], runs=runs, env=peer_env())
    return [Row("test", "flow test, 3 python nodes", ours.best, peer.best, peer.min_s / ours.min_s)]
