"""The commit that is checked out where a flow lies, as tags."""

from __future__ import annotations

from pathlib import Path

from flowyard._util.git import read_commit
from flowyard.registry.lineage import plain_remote

__all__ = ["origin_tags"]


def origin_tags(flow: str) -> dict[str, str]:
    """The commit at this moment, and whether the flow's files are as in it; nothing where there is none.

    Only a clean one is MLflow's own commit of a run: its page links to it.
    """
    path = Path(flow)
    folder = path if path.is_dir() else path.parent
    commit = read_commit([folder]) if folder.is_dir() else None
    if commit is None:
        return {}
    tags = {"flowyard.commit": commit.revision, "flowyard.dirty": "true" if commit.changed else "false"}
    if not commit.changed:
        tags["mlflow.source.git.commit"] = commit.revision
        remote = plain_remote(commit.remote)
        return tags | ({"mlflow.source.git.repoURL": remote} if remote else {})
    return tags
