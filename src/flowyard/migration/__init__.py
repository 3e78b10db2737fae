"""What a repository laid out by the GenAIOps template maps to here, and what has to change; runs nothing of it."""

from flowyard.migration.markdown import PAGE, migration_page
from flowyard.migration.model import Change, Finding, FindingKind, Migration, UseCase
from flowyard.migration.notes import read_structured
from flowyard.migration.places import find_use_cases
from flowyard.migration.rewrite import Written, change_text
from flowyard.migration.survey import survey_repository
from flowyard.migration.write import write_migration, writes_page

__all__ = [
    "PAGE",
    "Change",
    "Finding",
    "FindingKind",
    "Migration",
    "UseCase",
    "Written",
    "change_text",
    "find_use_cases",
    "migration_page",
    "read_structured",
    "survey_repository",
    "write_migration",
    "writes_page",
]
