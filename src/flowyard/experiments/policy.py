"""The blocks of ``experiment.yaml`` that say how to decide, read into a policy; and the decision of what was run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.abc import Store
from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.model import Evidence, GateResult
from flowyard.decisions.policy import DecisionPolicy, Racing
from flowyard.decisions.policy_blocks import POLICY_BLOCKS, parse_racing_block
from flowyard.errors import ExperimentInvalid, Problem, UserError
from flowyard.experiments.comparison import compare_variants, with_baselines
from flowyard.experiments.model import Experiment
from flowyard.records import Comparison, ExperimentRecord

__all__ = ["decide", "gate_view", "policy_values", "read_gates_file", "read_policy", "read_racing", "stored_policy"]


def read_policy(experiment: Experiment) -> DecisionPolicy:
    """The policy of an experiment. Raises ExperimentInvalid with every problem and its line."""
    blocks = {
        name: (experiment.blocks[name].value, experiment.blocks[name].file)
        for name in POLICY_BLOCKS
        if name in experiment.blocks
    }
    return _policy(blocks, f"Experiment {experiment.name!r} cannot be used:")


def read_racing(experiment: Experiment) -> Racing | None:
    """The race of an experiment; None when it has none. Raises ExperimentInvalid."""
    block = experiment.blocks.get("racing")
    if block is None:
        return None
    title = f"Experiment {experiment.name!r} cannot be used:"
    found = _collected(title, {"racing": lambda: parse_racing_block(block.value, block.file, "racing")})
    racing: Racing | None = found["racing"]
    return racing


def policy_values(experiment: Experiment) -> dict[str, Any]:
    """The blocks as they were written, for the record."""
    return {name: experiment.blocks[name].value for name in POLICY_BLOCKS if name in experiment.blocks}


def stored_policy(record: ExperimentRecord) -> DecisionPolicy:
    """The policy that an experiment was run with. Raises ExperimentInvalid."""
    file = YamlFile(record.path / "experiment.json", dict(record.policy), {})
    blocks = {name: (record.policy[name], file) for name in POLICY_BLOCKS if name in record.policy}
    return _policy(blocks, f"The gates of {record.name}/{record.key} cannot be used:")


def read_gates_file(path: Path, policy: DecisionPolicy) -> DecisionPolicy:
    """The policy with the blocks of a file over its own: a list of gates, or a mapping such as an experiment.yaml.

    Raises ExperimentInvalid with every problem and its line, UserError when the file cannot be read.
    """
    file = read_yaml(path)
    title = f"{path} cannot be used:"
    if repeated := file.repeated_problems():
        raise ExperimentInvalid(title, repeated)
    if isinstance(file.data, list):
        found = _collected(title, {"gates": lambda: POLICY_BLOCKS["gates"](file.data, file)})
        return replace(policy, gates=found["gates"])
    if not isinstance(file.data, Mapping) or "gates" not in file.data:
        raise ExperimentInvalid(title, [Problem("It has no 'gates'.", file.where(), 'gates: ["accuracy >= 0.9"]')])
    named = {name: (file.data[name], file) for name in POLICY_BLOCKS if name in file.data}
    return replace(policy, **_fields(named, title))


def decide(
    record: ExperimentRecord, policy: DecisionPolicy, store: Store
) -> tuple[ExperimentRecord, Comparison, Evidence]:
    """What the runs of an experiment show; the record is stored with the verdict. Runs nothing.

    Raises NotFound for a baseline run that is gone, StoreError for damaged lines.
    """
    comparison, warnings = with_baselines(compare_variants(record), policy, store)
    evidence = gather_evidence(comparison, policy)
    evidence = replace(evidence, warnings=(*warnings, *evidence.warnings))
    decided = replace(record, verdict=evidence.verdict, gates=tuple(map(gate_view, evidence.gates)))
    store.save_experiment(decided)
    return decided, comparison, evidence


def gate_view(gate: GateResult) -> dict[str, Any]:
    """What machines get of a gate; the names in it are a contract."""
    interval = gate.interval
    return {
        "gate": gate.gate,
        "verdict": gate.verdict,
        "reason": gate.reason,
        "metric": gate.metric,
        "variant": gate.version,
        "dataset": gate.dataset,
        "slice": dict(gate.slice),
        "value": gate.value,
        "threshold": gate.threshold,
        "interval": None if interval is None else {name: getattr(interval, name) for name in interval.__slots__},
        "p_value": gate.p_value,
        "lines_needed": gate.lines_needed,
        "where": gate.where,
    }


def _policy(blocks: Mapping[str, tuple[Any, YamlFile]], title: str) -> DecisionPolicy:
    return DecisionPolicy(**_fields(blocks, title))


def _fields(blocks: Mapping[str, tuple[Any, YamlFile]], title: str) -> dict[str, Any]:
    def reader(name: str, value: Any, file: YamlFile) -> Callable[[], Any]:
        return lambda: POLICY_BLOCKS[name](value, file, name)

    return _collected(title, {name: reader(name, value, file) for name, (value, file) in blocks.items()})


def _collected(title: str, readers: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What the readers give, by name. Raises ExperimentInvalid with the problem of each one that has one."""
    found, problems = {}, []
    for name, read in readers.items():
        try:
            found[name] = read()
        except UserError as error:
            problems.append(Problem(error.message, error.where, error.hint))
    if problems:
        raise ExperimentInvalid(title, problems)
    return found
