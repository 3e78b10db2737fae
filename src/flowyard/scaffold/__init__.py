"""New flows, use cases and repositories: complete ones to start from, and flows around code that exists."""

from flowyard.scaffold.names import require_use_case_name
from flowyard.scaffold.new_flow import FLOW_TYPES, new_flow
from flowyard.scaffold.new_repository import NewRepository, new_repository, repository_files
from flowyard.scaffold.new_use_case import TEMPLATES, new_use_case
from flowyard.scaffold.whole_files import left_behind, new_folder, place_files
from flowyard.scaffold.wrap import wrap_function

__all__ = [
    "FLOW_TYPES",
    "TEMPLATES",
    "NewRepository",
    "left_behind",
    "new_flow",
    "new_folder",
    "new_repository",
    "new_use_case",
    "place_files",
    "repository_files",
    "require_use_case_name",
    "wrap_function",
]
