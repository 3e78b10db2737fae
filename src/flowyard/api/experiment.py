"""``flowyard.Experiment``: an ``experiment.yaml`` from Python, planned, carried out and looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack

from flowyard._util.aio import run_blocking
from flowyard.api.frames import Frame, frame_of
from flowyard.api.results import ExperimentResult
from flowyard.api.running import Running, RunningOptions, open_place, price_table
from flowyard.api.text import facts_html, facts_text, plain, table_html, table_text
from flowyard.app import App
from flowyard.errors import UserError
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.execute import execute_experiment
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import ExperimentPlan, PlannedRun, plan_experiment
from flowyard.experiments.policy import read_policy
from flowyard.experiments.resume import changed_versions, require_request
from flowyard.records import ExperimentRecord
from flowyard.registry import open_registry
from flowyard.reports import decide_and_report

__all__ = ["Experiment", "Plan"]

Parameters = Mapping[str, Sequence[Any]]
"""``{name: [value, …]}``: the values that are tried for each parameter."""

_COLUMNS = ("dataset", "version", "lines", "evaluators", "model_calls", "tokens", "cost_usd")


class Plan:
    """What an experiment would run; nothing of it has been paid for. ``warnings`` are worth a look.

    Calls, tokens and cost are estimates, before retries; what a flow's own code asks is not in them.
    """

    def __init__(self, plan: ExperimentPlan) -> None:
        self.runs = plan.runs
        self.model_calls = plan.model_calls
        self.warnings = plan.warnings
        self._title = f"{len(plan.runs):,} runs, about {plan.model_calls:,} model calls before retries"

    def details(self, frame: Frame | None = None) -> Any:
        """One row a run as a ``DataFrame``: dataset, version, lines, evaluators, model_calls, tokens and cost_usd."""
        return frame_of((dict(zip(_COLUMNS, row, strict=True)) for row in self._rows()), _COLUMNS, frame)

    def _rows(self) -> list[tuple[Any, ...]]:
        return [_row(run) for run in self.runs]

    def __repr__(self) -> str:
        warnings = "".join(f"\n! {plain(warning)}" for warning in self.warnings)
        return f"{self._title}\n{table_text(_COLUMNS, self._rows())}{warnings}"

    def _repr_html_(self) -> str:
        shown = table_html(_COLUMNS, self._rows(), self._title)
        return shown + table_html(("warning",), [(each,) for each in self.warnings]) if self.warnings else shown


class Experiment:
    """An experiment at ``path``, its folder or its file, with the overlay of the environment ``env``.

    ``home`` is where registered datasets are, when that is not the usual place.
    Raises ExperimentInvalid with every problem of the file, UserError when there is none.
    """

    def __init__(
        self, path: str | PathLike[str], env: str | None = None, *, home: str | PathLike[str] | None = None
    ) -> None:
        place = Path(fspath(path)).expanduser()
        registry = open_registry(open_place(place, home=home).settings)
        self.experiment = load_experiment(place, env, resolve_dataset=registry.resolve)

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the files without being wrong."""
        return self.experiment.warnings

    def plan(self, variants: str | None = None, parameters: Parameters | None = None) -> Plan:
        """What would run, checked against the flow and the data. Raises UserError, ExperimentInvalid.

        ``variants`` is ``all``, ``defaults`` or ``node.variant,…``, and ``parameters`` the values of each name; both go
        over the blocks of the file.
        """
        prices = price_table(open_place(self.experiment.folder).settings)
        return Plan(plan_experiment(self.experiment, variants, parameters, prices=prices))

    def run(
        self,
        variants: str | None = None,
        parameters: Parameters | None = None,
        *,
        gates: bool = True,
        **running: Unpack[RunningOptions],
    ) -> ExperimentResult:
        """Run and evaluate every version over every dataset, decide, write the reports and return what came out.

        Failed lines and missed gates do not raise; without ``gates`` none is judged. Raises UserError,
        ExperimentInvalid before anything is run.
        """
        how = Running(**running)
        app = how.open(self.experiment.folder)
        plan = plan_experiment(self.experiment, variants, parameters, prices=price_table(app.settings), gates=gates)
        return self._carried_out(plan, how, app, gates=gates)

    def resume(
        self, key: str, *, anyway: bool = False, gates: bool = True, **running: Unpack[RunningOptions]
    ) -> ExperimentResult:
        """Go on with an execution that was stopped: the one with that key. Only lines without a result are run.

        What was selected when it began is selected again; the keywords of ``run`` are given again. Raises NotFound when
        there is none, Conflict while another process carries it out, and UserError when it is of another experiment or
        environment or, unless ``anyway``, when the file, the flow, the data or an evaluator changed.
        """
        how = Running(**running)
        experiment = self.experiment
        app = how.open(experiment.folder)
        earlier = app.store.get_experiment(key)
        request = require_request(earlier)
        if (earlier.env, request["file"]) != (experiment.env, str(experiment.files[0])):
            env = f", env={earlier.env!r}" if earlier.env else ""
            hint = f"flowyard.Experiment({request['file']!r}{env}).resume({earlier.key!r})"
            raise UserError(f"{earlier.name}/{earlier.key} is an execution of another experiment.", hint=hint)
        prices = price_table(app.settings)
        plan = plan_experiment(experiment, request["variants"], request["parameters"], prices=prices, gates=gates)
        plan = replace(plan, warnings=(*plan.warnings, *changed_versions(earlier, plan, anyway=anyway)))
        return self._carried_out(plan, how, app, gates=gates, earlier=earlier)

    def _carried_out(
        self, plan: ExperimentPlan, how: Running, app: App, *, gates: bool, earlier: ExperimentRecord | None = None
    ) -> ExperimentResult:
        experiment = self.experiment
        policy = read_policy(experiment)
        declared = [ExperimentConnections(experiment, app.environ)]
        parts = how.parts(app, declared, limits=experiment.limits, cache=experiment.cache)
        record = run_blocking(execute_experiment(plan, parts, options=how.options, earlier=earlier))
        decided = decide_and_report(record, policy if gates else replace(policy, gates=()), app.store)
        files = [file for each in decided.files.values() for file in each]
        home = app.settings.home
        return ExperimentResult(
            decided.record, decided.comparison, decided.evidence, files, home, warnings=plan.warnings
        )

    def _facts(self) -> dict[str, Any]:
        experiment = self.experiment
        return {
            "flow": experiment.flow,
            "datasets": ", ".join(dataset.name for dataset in experiment.datasets),
            "evaluators": ", ".join(evaluator.name for evaluator in experiment.evaluators),
            "env": experiment.env,
            "warnings": "; ".join(experiment.warnings),
        }

    def __repr__(self) -> str:
        return facts_text(f"Experiment {self.name}", self._facts())

    def _repr_html_(self) -> str:
        return facts_html(f"Experiment {self.name}", self._facts())


def _row(run: PlannedRun) -> tuple[Any, ...]:
    evaluators = ", ".join(each.evaluator.name for each in run.evaluations)
    estimate = run.estimate
    figures = (run.model_calls, estimate.total_tokens, estimate.cost_usd)
    return run.dataset.name, run.label, run.lines, evaluators, *figures
