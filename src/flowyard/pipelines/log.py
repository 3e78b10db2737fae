"""Where runs of pipelines are written down: ``<home>/pipelines/<use case>/<key>/pipeline.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowyard.steps import Journal, Journals

__all__ = ["FILES", "PipelineLog", "PipelineRecord"]

FILES = "the files"
"""What the digest of a use case's files is called among the versions that a run is made from."""


@dataclass(frozen=True, slots=True)
class PipelineRecord(Journal):
    """One use case on its way through one pipeline; ``env`` is the pipeline's name, ``target`` its environment."""

    @property
    def version(self) -> str | None:
        """The number of the version that it registered or took; None before."""
        noted = (step.result.get("version") for step in self.steps)
        return next((str(each) for each in noted if each is not None), None)

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

    def unfinished_of(self, name: str, pipeline: str, versions: Mapping[str, str]) -> PipelineRecord | None:
        """The newest that is made from just that and did not get to its end, whatever was run after it."""
        same = (each for each in self.list(name) if (each.env, each.versions) == (pipeline, versions))
        newest = next(same, None)
        return newest if newest is not None and newest.state != "done" else None

    def newest_of_files(self, name: str, pipeline: str, files: str) -> PipelineRecord | None:
        """The newest of a use case in a pipeline that is made from files of this digest."""
        same = (each for each in self.list(name) if each.env == pipeline)
        return next((each for each in same if each.versions.get(FILES) == files), None)
