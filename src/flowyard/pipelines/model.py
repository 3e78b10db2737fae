"""A pipeline: stages in jobs, with all that a generator of CI files has to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Job", "Pipeline", "Placeholder", "Stage"]

Placeholder = Literal["{usecase}", "{env}", "{version}", "{reports}"]
"""What stands in a command's words: the use case's folder, the environment, the version's number, and the folder that
the stage writes into. A word of a command is always one argument."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of a pipeline.

    ``command`` are the words after ``flowyard``. ``needs`` names the stages that have to be done before it. ``writes``
    are files in the folder of reports. ``result`` names what of its JSON later stages or jobs use. ``always``: it is
    done after a no, too. ``deploys``: only where ``deployment.yaml`` has the environment. ``asks``: a person answers in
    it. ``calls_models`` and ``reaches_target`` say which secrets it needs: those of the connections, and those of where
    the flow is served. ``timeout_minutes`` is when it is stopped; where a person answers, the policy of the approval
    has to end before.
    """

    name: str
    summary: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    timeout_minutes: int = 15
    always: bool = False
    deploys: bool = False
    asks: bool = False
    calls_models: bool = False
    reaches_target: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """Stages that run one after another on one machine: ``flowyard pipeline run PIPELINE --from … --until …``.

    ``needs`` names jobs. ``passes`` are what the next job gets as an artifact, relative to the repository's root.
    ``environment`` is the one of the CI system that a person may protect. ``permissions`` are those of a GitHub token;
    ``exclusive``: no second one of the same use case runs meanwhile, and none is cancelled half way.
    """

    name: str
    stages: tuple[Stage, ...]
    needs: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    environment: str | None = None
    permissions: tuple[tuple[str, str], ...] = (("contents", "read"),)
    cloud_login: bool = False
    exclusive: bool = False

    @property
    def timeout_minutes(self) -> int:
        """Longer than all of its stages together, so that a stage ends by its own time."""
        return sum(stage.timeout_minutes for stage in self.stages) + 10


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline; its jobs run once for each use case (``matrix``).

    ``env`` is the environment whose overlay and deployment hold. ``branches`` are those whose change starts it, as
    ``trigger`` says: a pull request to them, a push to them, or by the clock as ``schedule`` says, in cron's words.
    """

    name: str
    summary: str
    env: str
    trigger: Literal["pull_request", "push", "schedule"]
    branches: tuple[str, ...]
    jobs: tuple[Job, ...]
    schedule: str | None = None
    matrix: bool = True
    takes_version: str | None = None
    """The alias of the version that is promoted, unless another is named; None where the files are registered."""

    @property
    def stages(self) -> Sequence[Stage]:
        """All stages, in order."""
        return tuple(stage for job in self.jobs for stage in job.stages)

    def stage(self, name: str) -> Stage:
        """The stage of that name, which there is."""
        return next(stage for stage in self.stages if stage.name == name)

    def job_of(self, stage: str) -> Job:
        """The job that a stage is in."""
        return next(job for job in self.jobs if any(each.name == stage for each in job.stages))
