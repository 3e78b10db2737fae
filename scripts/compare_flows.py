"""Run foreign flows here and in the real promptflow, and say where the two differ.

    python scripts/compare_flows.py FOLDER… [--peer .peer/venv/bin/python] [--json OUT] [--only GLOB] [--timeout S]

Flows are found under the folders, copied to a scratch folder and given the same inputs, connections and environment on
both sides; a simulated model answers both. It runs the code that the folders hold, with this machine's loopback as the
only network that Python code can reach. Exit code 1: some flow differs.
"""

from __future__ import annotations

import argparse
import json
import queue
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flow_comparison.found import FoundFlow, find_flows
from flow_comparison.inputs import pick_init, pick_inputs
from flow_comparison.needs import connections_of, environment_of
from flow_comparison.sides import Job, Outcome, OwnSide, PeerSide, serve_simulation
from flow_comparison.verdict import VERDICTS, Verdict, judge

WORRYING = ("differ", "only promptflow", "fail differently")


@dataclass(frozen=True)
class Compared:
    """One flow with both outcomes."""

    flow: FoundFlow
    job: Job
    own: Outcome
    peer: Outcome
    verdict: Verdict


@dataclass(frozen=True)
class Bench:
    """Both sides; each promptflow process serves one flow at a time."""

    scratch: Path
    own: OwnSide
    peers: queue.Queue[PeerSide]

    def compare(self, flow: FoundFlow, server: str, timeout_s: float) -> Compared:
        job = make_job(flow, server, timeout_s)
        own = self._settle(self.own.run(job), "own")
        peer = self._peer(job)
        verdict = judge(own, peer)
        if verdict.word == "differ" and judge(self._peer(job), peer).word == "differ":
            verdict = Verdict("unstable", "promptflow differs from itself")
        return Compared(flow, job, own, peer, verdict)

    def _peer(self, job: Job) -> Outcome:
        side = self.peers.get()
        try:
            return self._settle(side.run(job), "peer")
        finally:
            self.peers.put(side)

    def _settle(self, outcome: Outcome, side: str) -> Outcome:
        """The outcome without the side's folder in its texts."""
        folder = str(self.scratch / side)
        text = json.dumps(outcome.outputs).replace(folder, "<corpora>")
        return replace(outcome, outputs=json.loads(text), error=outcome.error.replace(folder, "<corpora>"))


def make_job(flow: FoundFlow, server: str, timeout_s: float) -> Job:
    """What both sides are given."""
    return Job(
        flow.name,
        pick_inputs(flow, server),
        pick_init(flow, server),
        connections_of(flow, server),
        environment_of(flow, server),
        timeout_s,
    )


@contextmanager
def open_bench(folders: Sequence[Path], python: Path, peer: Path, jobs: int) -> Iterator[Bench]:
    """Scratch copies of the folders, and the processes; all gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="compare-flows-") as name:
        scratch = Path(name)
        (scratch / "home").mkdir()
        for side in ("own", "peer"):
            for folder in folders:
                ignored = shutil.ignore_patterns(".git", "__pycache__", ".promptflow", "node_modules")
                shutil.copytree(folder, scratch / side / folder.resolve().name, ignore=ignored)
        peers: queue.Queue[PeerSide] = queue.Queue()
        made = [PeerSide(peer, scratch / "peer", scratch / "home" / f"peer{number}") for number in range(jobs)]
        for each in made:
            peers.put(each)
        try:
            yield Bench(scratch, OwnSide(python, scratch / "own", scratch / "home"), peers)
        finally:
            for each in made:
                each.close()


def compare_all(flows: Sequence[FoundFlow], args: argparse.Namespace) -> list[Compared]:
    """All flows, ``--jobs`` at a time, in their order."""
    with open_bench(args.folders, args.python, args.peer, args.jobs) as bench:
        home = bench.scratch / "home"
        with serve_simulation(args.python, home) as server, ThreadPoolExecutor(args.jobs) as pool:
            found: list[Compared] = []
            for compared in pool.map(lambda flow: bench.compare(flow, server, args.timeout), flows):
                found.append(compared)
                print(f"\r{len(found)}/{len(flows)}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            return found


def print_results(compared: Sequence[Compared]) -> None:
    """Flows by verdict and reason, then the counts by kind."""
    for word in VERDICTS:
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for each in compared:
            if each.verdict.word == word:
                groups[each.verdict.reason].append(each.flow.name)
        if word != "equal" and groups:
            print(f"\n## {word}")
            for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
                print(f"{len(names):4}  {reason[:300]}", *(f"          {name}" for name in names), sep="\n")
    print_summary(compared)


def print_summary(compared: Sequence[Compared]) -> None:
    kinds = ("dag", "flex", "prompty")
    print("\n## summary\n" + f"{'':18}" + "".join(f"{kind:>9}" for kind in (*kinds, "all")))
    rows = [("found", list(compared)), *((word, [c for c in compared if c.verdict.word == word]) for word in VERDICTS)]
    for word, chosen in rows:
        counts = [sum(each.flow.kind == kind for each in chosen) for kind in kinds]
        print(f"{word:18}" + "".join(f"{count:9}" for count in (*counts, len(chosen))))


def as_record(compared: Compared) -> dict[str, Any]:
    return {
        "flow": compared.flow.name,
        "kind": compared.flow.kind,
        "verdict": asdict(compared.verdict),
        "inputs": compared.job.inputs,
        "init": compared.job.init,
        "own": asdict(compared.own),
        "peer": asdict(compared.peer),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--peer", type=Path, default=Path(".peer/venv/bin/python"), help="a Python with promptflow")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="a Python with flowyard")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every outcome to this file")
    parser.add_argument("--only", metavar="GLOB", help="flows whose name, as printed, matches")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="for one flow on one side")
    parser.add_argument("--jobs", type=int, default=2, help="flows at a time")
    return parser.parse_args()


def main() -> int:
    args = parse_arguments()
    if not args.peer.is_file():
        raise SystemExit(f"There is no {args.peer}. Run scripts/peer.sh once, or say --peer.")
    # Not resolved: a virtual environment's Python is a link whose place matters.
    args.peer, args.python = args.peer.absolute(), args.python.absolute()
    compared = compare_all(find_flows(args.folders, args.only), args)
    print_results(compared)
    if args.json:
        args.json.write_text(json.dumps([as_record(each) for each in compared], indent=1, ensure_ascii=False), "utf-8")
    return int(any(each.verdict.word in WORRYING for each in compared))


if __name__ == "__main__":
    sys.exit(main())
