"""Comments on pull requests of GitHub: the REST API of issues' comments, version 2022-11-28."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.pipelines.comments.http import TokenApi
from flowyard.pipelines.comments.model import CommentPlace, NotPermitted, Posted

__all__ = ["HEADERS", "GithubPullRequest"]

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_PAGE = 100
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class GithubPullRequest(CommentPlace):
    """``repository`` is ``OWNER/NAME``."""

    api: TokenApi
    repository: str
    number: int
    label: str = "GitHub"
    most: int = 65_536

    def put(self, marker: str, text: str) -> Posted:
        own = next((each for each in self._comments() if self._is_own(each, marker)), None)
        if own is None:
            made = self.api.call("POST", f"{self._issue}/comments", {"body": text})
            return Posted("created", made.get("html_url"))
        if own.get("body") == text:
            return Posted("unchanged", own.get("html_url"))
        self.api.call("PATCH", f"/repos/{self.repository}/issues/comments/{int(own['id'])}", {"body": text})
        return Posted("updated", own.get("html_url"))

    @property
    def _issue(self) -> str:
        return f"/repos/{self.repository}/issues/{self.number}"

    def _comments(self) -> Iterator[Mapping[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            found = self.api.call("GET", f"{self._issue}/comments?per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return

    def _is_own(self, comment: Mapping[str, Any], marker: str) -> bool:
        """Whether it has our marker, and a bot or the token's own account wrote it: anybody can write a marker."""
        if not str(comment.get("body") or "").startswith(marker):
            return False
        user = comment.get("user") or {}
        return user.get("type") == "Bot" or user.get("login") == self._account()

    def _account(self) -> str | None:
        """Whose token it is; None for that of a workflow, which is a bot's."""
        try:
            account = self.api.call("GET", "/user")
        except NotPermitted:
            return None
        return str(account.get("login"))
