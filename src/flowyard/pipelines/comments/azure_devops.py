"""Comments on pull requests of Azure DevOps: the REST API of threads, version 7.1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.pipelines.comments.http import TokenApi
from flowyard.pipelines.comments.model import CommentPlace, Posted

__all__ = ["AzureDevOpsPullRequest"]

_VERSION = "api-version=7.1"


@dataclass(frozen=True, slots=True)
class AzureDevOpsPullRequest(CommentPlace):
    """``path`` is that of the pull request in the API. Our thread is closed, so that no policy waits for it."""

    api: TokenApi
    path: str
    label: str = "Azure DevOps"
    most: int = 150_000

    def put(self, marker: str, text: str) -> Posted:
        own = next(self._own(marker), None)
        if own is None:
            comment = {"parentCommentId": 0, "content": text, "commentType": 1}
            self.api.call("POST", f"{self.path}/threads?{_VERSION}", {"comments": [comment], "status": 4})
            return Posted("created")
        thread, first = own
        if first.get("content") == text:
            return Posted("unchanged")
        place = f"{self.path}/threads/{int(thread['id'])}/comments/{int(first['id'])}?{_VERSION}"
        self.api.call("PATCH", place, {"content": text})
        return Posted("updated")

    def _own(self, marker: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Threads that begin with our marker; a comment of somebody else cannot be changed, so it is passed over."""
        account = self._account()
        for thread in self.api.call("GET", f"{self.path}/threads?{_VERSION}").get("value", ()):
            first: Mapping[str, Any] = next(iter(thread.get("comments") or ()), {})
            is_ours = str(first.get("content") or "").startswith(marker) and not first.get("isDeleted")
            if is_ours and not thread.get("isDeleted") and (first.get("author") or {}).get("id") == account:
                yield thread, first

    def _account(self) -> str | None:
        """The id of the account that the token is for."""
        known = self.api.call("GET", "/_apis/connectionData")
        return (known.get("authenticatedUser") or {}).get("id")
