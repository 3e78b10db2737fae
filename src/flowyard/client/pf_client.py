"""``PFClient``: prompt flow's client, over this project's runs, flows and connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn

from flowyard.client.connection_operations import ConnectionOperations
from flowyard.client.exceptions import NotSupported
from flowyard.client.flow_operations import FlowOperations
from flowyard.client.run_entity import Run, name_of
from flowyard.client.run_operations import RunOperations
from flowyard.client.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PFClient"]

_TOOLS = "Tools are found by their entry points when a flow that names them is loaded: flowyard flow validate --source"
_TRACES = "There is no trace service. What each node did is in a run's lines.jsonl: flowyard run show-details -n NAME"


class PFClient:
    """Runs and tests flows; ``runs``, ``flows`` and ``connections`` have the rest.

    ``config`` is accepted and has no effect: connections are looked up where ``flowyard connection list`` shows them.
    """

    def __init__(self, *, config: Mapping[str, Any] | None = None, **_ignored: Any) -> None:
        self.config = dict(config or {})
        self.runs = RunOperations()
        self.flows = FlowOperations()
        self.connections = ConnectionOperations()

    def run(
        self,
        flow: Subject = None,
        *,
        data: str | PathLike[str] | None = None,
        run: Run | str | None = None,
        column_mapping: Mapping[str, Any] | None = None,
        variant: str | None = None,
        connections: Mapping[str, Mapping[str, str]] | None = None,
        environment_variables: Mapping[str, Any] | str | None = None,
        name: str | None = None,
        display_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        resume_from: Run | str | None = None,
        code: str | PathLike[str] | None = None,
        init: Mapping[str, Any] | None = None,
        stream: bool = False,
        **others: Any,
    ) -> Run:
        """Run a flow over data, or over another run's outputs, and return the run when it ended.

        ``flow`` is a path, ``module:Name``, a function, a class or an instance. Failed lines do not raise. Raises
        UserErrorException and its subclasses when the run cannot be made; then nothing was written.
        """
        asked = Run(
            flow=flow,
            name=name,
            data=data,
            variant=variant,
            run=run,
            column_mapping=column_mapping,
            display_name=display_name,
            tags=tags,
            environment_variables=environment_variables,
            connections=connections,
            init=init,
            **others,
        )
        asked.resume_from = name_of(resume_from) if resume_from is not None else None
        return self.runs.create_or_update(asked, stream=stream, code=code)

    def test(
        self,
        flow: Subject,
        *,
        inputs: Mapping[str, Any] | str | PathLike[str] | None = None,
        variant: str | None = None,
        node: str | None = None,
        environment_variables: Mapping[str, Any] | None = None,
        init: Mapping[str, Any] | None = None,
    ) -> Any:
        """The outputs of a flow, or of one node, for one set of inputs; as ``flows.test``."""
        return self.flows.test(
            flow, inputs=inputs, variant=variant, node=node, environment_variables=environment_variables, init=init
        )

    def stream(self, run: Run | str, raise_on_error: bool = True) -> Run:
        """As ``runs.stream``."""
        return self.runs.stream(run, raise_on_error)

    def get_details(self, run: Run | str, max_results: int = 100, all_results: bool = False) -> pd.DataFrame:
        """As ``runs.get_details``."""
        return self.runs.get_details(run, max_results, all_results)

    def get_metrics(self, run: Run | str) -> dict[str, Any]:
        """As ``runs.get_metrics``."""
        return self.runs.get_metrics(run)

    def visualize(self, runs: Run | str | Iterable[Run | str]) -> None:
        """As ``runs.visualize``."""
        self.runs.visualize(runs)

    @property
    def tools(self) -> NoReturn:
        """Raises NotSupported saying what to use."""
        raise NotSupported(f"PFClient().tools is not covered. {_TOOLS}")

    @property
    def traces(self) -> NoReturn:
        """Raises NotSupported saying what to use."""
        raise NotSupported(f"PFClient().traces is not covered. {_TRACES}")
