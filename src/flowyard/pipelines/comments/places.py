"""Which pull request a job is for, from the variables that its CI system sets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowyard.errors import UserError
from flowyard.pipelines.comments.azure_devops import AzureDevOpsPullRequest
from flowyard.pipelines.comments.github import HEADERS, GithubPullRequest
from flowyard.pipelines.comments.http import TokenApi
from flowyard.pipelines.comments.model import CommentPlace

__all__ = ["find_place"]

_GITHUB_REF = re.compile(r"refs/pull/([0-9]{1,10})/")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def find_place(environ: Mapping[str, str], number: int | None = None) -> CommentPlace | str:
    """The pull request that comments go to; or a sentence that says why there is none.

    ``number`` names another one than the job's. Raises UserError for variables that cannot be.
    """
    if environ.get("SYSTEM_COLLECTIONURI"):
        return _azure_devops(environ, number)
    if environ.get("GITHUB_REPOSITORY"):
        return _github(environ, number)
    return "this is no job of GitHub or Azure DevOps"


def _github(environ: Mapping[str, str], number: int | None) -> CommentPlace | str:
    number = number or _number_of_event(environ) or _number(_GITHUB_REF.match(environ.get("GITHUB_REF", "")))
    token, repository = environ.get("GITHUB_TOKEN"), environ["GITHUB_REPOSITORY"]
    if number is None:
        return "this job is for no pull request"
    if not token:
        return "GITHUB_TOKEN is not set: in a step, env: {GITHUB_TOKEN: ${{ github.token }}}"
    if not _REPOSITORY.fullmatch(repository):
        raise UserError("GITHUB_REPOSITORY is not of the form OWNER/NAME.")
    base = environ.get("GITHUB_API_URL") or "https://api.github.com"
    return GithubPullRequest(TokenApi(base, token, "GITHUB_TOKEN", HEADERS), repository, number)


def _number_of_event(environ: Mapping[str, str]) -> int | None:
    try:
        event: Any = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
        return int(event["pull_request"]["number"])
    except (KeyError, OSError, ValueError, TypeError):
        return None


def _number(found: re.Match[str] | None) -> int | None:
    return int(found[1]) if found else None


def _azure_devops(environ: Mapping[str, str], number: int | None) -> CommentPlace | str:
    said = environ.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
    number = number or (int(said) if said.isdecimal() else None)
    token = environ.get("SYSTEM_ACCESSTOKEN")
    if number is None:
        return "this job is for no pull request"
    if not token:
        return "SYSTEM_ACCESSTOKEN is not set: in a step, env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}"
    names = [environ.get(name, "") for name in ("SYSTEM_TEAMPROJECT", "BUILD_REPOSITORY_ID")]
    if not all(names):
        raise UserError("SYSTEM_TEAMPROJECT and BUILD_REPOSITORY_ID have to be set, as Azure DevOps does.")
    project, repository = (quote(name, safe="") for name in names)
    path = f"/{project}/_apis/git/repositories/{repository}/pullRequests/{number}"
    return AzureDevOpsPullRequest(TokenApi(environ["SYSTEM_COLLECTIONURI"], token, "SYSTEM_ACCESSTOKEN"), path)
