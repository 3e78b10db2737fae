"""The experiment is run, and what its gates say decides whether the release goes on."""

from __future__ import annotations

from flowyard.errors import ExitCode, NotFound
from flowyard.records import ExperimentRecord
from flowyard.release.parts import ReleaseParts
from flowyard.steps import Outcome, Work

__all__ = ["judge", "run_experiment"]


def run_experiment(parts: ReleaseParts, work: Work) -> Outcome:
    """Run it, or what is left of the execution that was begun; nothing is paid for twice."""

    def begun(record: ExperimentRecord) -> None:
        work.note("experiment", name=record.name, key=record.key)

    record = parts.run_experiment(_earlier(parts, work), begun)
    failed, total = (sum(getattr(run.lines, what) for run in record.runs) for what in ("failed", "total"))
    result = {"name": record.name, "key": record.key, "simulated": record.simulated, "reports": str(record.path)}
    if not record.is_finished:
        stopped = f"{record.name}/{record.key} was stopped before all was run, because the budget is used up"
        return Outcome(result, stopped, pending=True)
    said = f"{record.name}/{record.key}: {len(record.runs)} runs, {failed:,} of {total:,} lines failed"
    return Outcome(result, said + (", simulated" if record.simulated else ""))


def judge(parts: ReleaseParts, work: Work) -> Outcome:
    """What the gates of the execution said. Without gates nothing says no, which is told."""
    record = find_execution(parts, work)
    counts = {verdict: sum(gate["verdict"] == verdict for gate in record.gates) for verdict in _WORDS}
    said = ", ".join(f"{counts[verdict]} {word}" for verdict, word in _WORDS.items() if counts[verdict])
    refused = record.verdict == "fail" or (record.verdict == "inconclusive" and not parts.inconclusive_passes)
    result = {"verdict": record.verdict, "gates": [dict(gate) for gate in record.gates]}
    if record.verdict is None:
        return Outcome(result, "experiment.yaml has no gates: no metric can stop this release")
    return Outcome(result, said, ExitCode.GATE_NO if refused else None)


def find_execution(parts: ReleaseParts, work: Work) -> ExperimentRecord:
    """The execution that the release is based on. Raises NotFound when somebody deleted it."""
    noted = work.result("experiment")
    return parts.store.get_experiment(f"{noted['name']}/{noted['key']}")


_WORDS = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}


def _earlier(parts: ReleaseParts, work: Work) -> ExperimentRecord | None:
    if "key" not in work.result("experiment"):
        return None
    try:
        return find_execution(parts, work)
    except NotFound:
        return None
