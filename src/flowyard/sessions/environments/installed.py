"""Whether what a flow requires is installed in this Python."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from flowyard.errors import UserError
from flowyard.sessions.environments.requirements import read_requirements

__all__ = ["missing_requirements", "tell_missing"]


def tell_missing(flow: str, file: Path) -> str | None:
    """What to tell a person about requirements that are not met here, with the next step; None when all are."""
    try:
        missing = missing_requirements(file)
    except UserError as error:
        return f"{error} The requirements of the flow {flow} were not checked."
    if not missing:
        return None
    return (
        f"The flow {flow} requires what is not installed here: {', '.join(missing)}. "
        f"Next: use --session venv, or pip install -r {file}"
    )


def missing_requirements(file: Path) -> list[str]:
    """The requirements of a file that this Python does not meet, each with what is there. Raises UserError.

    Paths and URLs without a name cannot be checked and are left out.
    """
    packages = read_requirements(file).packages
    checked = (_missing(entry.requirement) for entry in packages if entry.requirement)
    return list(dict.fromkeys(text for text in checked if text))


def _missing(requirement: Requirement) -> str | None:
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        there = version(requirement.name)
    except PackageNotFoundError:
        return wanted
    met = requirement.specifier.contains(there, prereleases=True)
    return None if met else f"{wanted} ({there} is installed)"
