"""What a pull request's workflow has besides: from where it may come, its comments, and its one result.

What runs the pull request's code may write nothing. What comments has none of that code: flowyard is that of the branch
it goes to, nothing comes from a cache that a job before could have filled, and reports are read as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.pipelines.generate.github.actions import action
from flowyard.pipelines.generate.github.steps import checkout, expression, prepare, runs_on
from flowyard.pipelines.generate.model import CiSettings
from flowyard.pipelines.model import Pipeline

__all__ = ["comment_job", "only_releases", "result_job"]

_BASE = "github.event.pull_request.base.sha"
_ONLY_RELEASES = """\
if [ "$SAME_REPOSITORY" != true ]; then
  echo "Only branches of this repository are merged there." >&2
  exit 1
fi
case "$HEAD_BRANCH" in
  %s*) ;;
  *)
    echo "Only branches that begin with %s are merged there." >&2
    exit 1
    ;;
esac
"""
_COMMENT = """\
flowyard pipeline comment --reports "$RUNNER_TEMP/reports"
"""
_VERDICT = """\
echo "Planned: $PLANNED, checked: $CHECKED"
if [ "$PLANNED" != success ]; then
  exit 1
fi
case "$CHECKED" in
  success | skipped) ;;
  *) exit 1 ;;
esac
"""


def only_releases(settings: CiSettings) -> list[Mapping[str, Any]]:
    """GitHub cannot say from which branches a pull request may come: so its check does."""
    branches = settings.branches
    return [
        {
            "name": f"Take only release branches into {branches.main}",
            "if": f"github.base_ref == '{branches.main}'",
            "env": {
                "HEAD_BRANCH": expression("github.head_ref"),
                "SAME_REPOSITORY": expression("github.event.pull_request.head.repo.full_name == github.repository"),
            },
            "run": _ONLY_RELEASES % (branches.release, branches.release),
        }
    ]


def comment_job(pipeline: Pipeline, settings: CiSettings, checked: str) -> Mapping[str, Any]:
    """The only job that may write to the pull request; its failure is no result."""
    writes = {name: right for job in pipeline.jobs for name, right in job.permissions if right == "write"}
    reads = {"contents": "read"} if settings.install.requirements else {}
    base = [checkout(ref=expression(_BASE))] if settings.install.requirements else []
    return {
        "name": "comment",
        "needs": ["plan", checked],
        "if": "!cancelled() && needs.plan.outputs.any == 'true'",
        "runs-on": runs_on(settings),
        "timeout-minutes": 15,
        "permissions": {**reads, **writes},
        "steps": [
            *base,
            *prepare(settings, cache=None),
            {
                "name": "Get the reports",
                "uses": action("actions/download-artifact"),
                "with": {
                    "pattern": f"reports-{pipeline.name}-*",
                    "path": f"{expression('runner.temp')}/reports",
                },
            },
            {"name": "Comment", "env": {"GITHUB_TOKEN": expression("github.token")}, "run": _COMMENT},
        ],
    }


def result_job(settings: CiSettings, checked: str) -> Mapping[str, Any]:
    """The one check that a branch's protection asks for, however many use cases there are: it may nothing."""
    return {
        "name": "flowyard result",
        "needs": ["plan", checked],
        "if": "always()",
        "runs-on": runs_on(settings),
        "timeout-minutes": 5,
        "permissions": {},
        "steps": [
            {
                "name": "Say what came out",
                "env": {
                    "PLANNED": expression("needs.plan.result"),
                    "CHECKED": expression(f"needs.{checked}.result"),
                },
                "run": _VERDICT,
            },
        ],
    }
