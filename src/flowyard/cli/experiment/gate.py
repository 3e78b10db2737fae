"""``flowyard experiment gate``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.experiment.result import check_finished, experiment_view, gate_code, print_gates
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.errors import UserError
from flowyard.experiments.policy import read_gates_file, stored_policy
from flowyard.reports import decide_and_report, report_paths

__all__ = ["gate"]


@click.command()
@click.argument("key", metavar="KEY|NAME")
@click.option("--gates", "gates_file", metavar="FILE", help="Judge by the gates of this file instead.")
@store_options
def gate(key: str, gates_file: str | None, home: str | None, as_json: bool) -> int:
    """Judge an execution again: that of KEY, or the last one of the experiment NAME. Runs nothing.

    Its record and its reports say what came out. Exits 3 when a gate says no.
    """
    store = open_store(home)
    record = store.get_experiment(key)
    check_finished(record)
    policy = stored_policy(record)
    if gates_file is not None:
        policy = read_gates_file(Path(gates_file), policy)
    if not policy.gates:
        raise UserError(
            f"The experiment {record.name}/{record.key} has no gates.", hint="Give a file with some: --gates FILE"
        )
    record, _, evidence, files = decide_and_report(record, policy, store)
    if as_json:
        print_json({**experiment_view(record, evidence), "reports": report_paths(files)})
    else:
        print_warnings(evidence.warnings)
        print_gates(evidence.gates, policy)
    return gate_code(evidence, policy) or 0
