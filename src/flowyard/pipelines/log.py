"""Where runs of pipelines are written down: ``<home>/pipelines/<use case>/<key>/pipeline.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowyard.steps import Journal, Journals

__all__ = ["PipelineLog", "PipelineRecord"]


@dataclass(frozen=True, slots=True)
class PipelineRecord(Journal):
    """One use case on its way through one pipeline; ``env`` is the pipeline's name, ``target`` its environment."""

    @property
    def waits(self) -> bool:
        """Whether it was stopped where people are waited for."""
        return any(step.state == "running" and step.result.get("waits") for step in self.steps)


class PipelineLog(Journals[PipelineRecord]):
    """The runs of pipelines of one home; one process at a time goes on with those of a use case in a pipeline."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "pipelines", PipelineRecord, "pipeline", "flowyard pipeline show PIPELINE")

    def newest(self, name: str, pipeline: str, versions: Mapping[str, str] | None = None) -> PipelineRecord | None:
        """The newest of a use case in a pipeline; with ``versions``, if it is made from just that."""
        record = next((each for each in self.list(name) if each.env == pipeline), None)
        return None if record is None or versions not in (None, record.versions) else record
