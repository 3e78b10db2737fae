"""A repository on GitHub, for tests: what its generated workflows do when branches change."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

from comment_apis import TOKEN, CommentApis
from functional_helper import flowyard
from pipeline_helper import Repository
from workflow_runner import Event, WorkflowRunner

__all__ = ["APPROVAL_KEY", "Forge"]

APPROVAL_KEY = base64.b64encode(b"by which answers are sealed, 32b").decode()


class Forge:
    """A repository with generated workflows, its branches, and what its CI system does when they change."""

    def __init__(self, repository: Repository, apis: CommentApis, folder: Path) -> None:
        self.repository, self.apis = repository, apis
        environment = {"TOKEN_OF_JOB": TOKEN, "API_OF_GITHUB": apis.address}
        self.runner = WorkflowRunner(repository.root, folder, environment=environment)

    def generate(self) -> None:
        done = self.repository.here("pipeline", "generate", "github")
        assert done.returncode == 0, done.stderr

    def results(self, file: str, event: Event) -> dict[str, str]:
        """What each job came to."""
        found = {name: job.result for name, job in self.runner.run(file, event).items()}
        assert "Traceback" not in self.runner.text, self.runner.text
        for secret in (TOKEN, *self.runner.secrets.values()):
            assert secret not in self.runner.text + self.runner.summary
        return found

    def pull_request(self, head: str, base: str = "development", repository: str = "o/r") -> dict[str, str]:
        """GitHub checks what a merge would be. One from a fork gets no secrets, and a token that may only read."""
        git = self.repository.git
        merged = git("commit-tree", f"{head}^{{tree}}", "-p", base, "-p", head, "-m", "merge")
        git("update-ref", "refs/pull/7/merge", merged)
        asked = {
            "number": 7,
            "base": {"sha": git("rev-parse", base)},
            "head": {"repo": {"full_name": repository}},
        }
        payload = {"pull_request": asked}
        event = Event("pull_request", "refs/pull/7/merge", merged, payload, base_ref=base, head_ref=head)
        secrets = self.runner.secrets
        if repository != "o/r":
            self.runner.secrets, self.apis.refusal = {}, 403
        try:
            return self.results("flowyard-pr.yml", event)
        finally:
            self.runner.secrets, self.apis.refusal = secrets, None

    def merge(self, head: str, branch: str, pipeline: str) -> dict[str, str]:
        """A merge, which is a push to the branch."""
        git = self.repository.git
        git("checkout", "-q", branch)
        before = git("rev-parse", "HEAD")
        git("merge", "-q", "--no-ff", "-m", "merge", head)
        event = Event("push", f"refs/heads/{branch}", git("rev-parse", "HEAD"), {"before": before})
        return self.results(f"flowyard-{pipeline}.yml", event)

    def by_the_clock(self, pipeline: str) -> dict[str, str]:
        """The clock starts the file of the default branch."""
        commit = self.repository.git("rev-parse", "development")
        return self.results(f"flowyard-{pipeline}.yml", Event("schedule", "refs/heads/development", commit))

    def by_hand(self, branch: str, pipeline: str) -> dict[str, str]:
        """Somebody starts the workflow again."""
        commit = self.repository.git("rev-parse", branch)
        event = Event("workflow_dispatch", f"refs/heads/{branch}", commit)
        return self.results(f"flowyard-{pipeline}.yml", event)

    def answering(self, decision: str, home: Callable[[Path], Path]) -> list[str]:
        """While the job waits, somebody answers from another process; the requests that were answered."""
        answered: list[str] = []

        def on_line(workspace: Path, line: str) -> None:
            found = re.search(r"Waiting for the answers to ([0-9a-f]{12})", line)
            if found and found[1] not in answered:
                answered.append(found[1])
                words = ("approval", decision, found[1], "--reason", "seen", "--home", home(workspace))
                done = flowyard(
                    *words, cwd=workspace, env={"FLOWYARD_USER": "bob", "FLOWYARD_APPROVAL_KEY": APPROVAL_KEY}
                )
                assert done.returncode == 0, done.stderr

        self.runner.on_line = on_line
        return answered
