"""The commands that set a repository up on a CI system, from nothing to the first deployment: only printed."""

from flowyard.pipelines.setup.azure_devops import azure_devops_steps
from flowyard.pipelines.setup.github import github_steps
from flowyard.pipelines.setup.repository import SETUP_HEAD, CiOrder, CloudPlace

__all__ = ["SETUP_HEAD", "CiOrder", "CloudPlace", "azure_devops_steps", "github_steps"]
