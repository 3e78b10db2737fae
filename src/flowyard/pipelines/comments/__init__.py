"""One comment on a pull request for each report, updated in place, on GitHub and on Azure DevOps."""

from flowyard.pipelines.comments.model import CommentPlace, Posted
from flowyard.pipelines.comments.places import find_place

__all__ = ["CommentPlace", "Posted", "find_place"]
