"""Requirements pinned to what is installed here, for machines that reach no package index."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flowyard.deploy.image.own_wheel import serving_requirements
from flowyard.sessions.environments.requirements import Requirements

__all__ = ["installed_pins"]


def installed_pins(requirements: Requirements) -> tuple[list[str], list[str]]:
    """Lines for the flow's and flowyard's requirements and all that these need; and what could not be pinned."""
    named = [each.requirement for each in requirements.packages if each.requirement and each.requirement.url is None]
    pinned = _closure([*named, *serving_requirements()])
    loose = [str(each) for each in named if canonicalize_name(each.name) not in pinned]
    others = [each.render() for each in requirements.packages if not (each.requirement and not each.requirement.url)]
    return [*(f"{name}=={version}" for name, version in sorted(pinned.items())), *others, *loose], [*others, *loose]


def _closure(wanted: Iterable[Requirement]) -> dict[str, str]:
    """Versions by name of what is wanted, as far as it is installed and fits, with what that needs in turn."""
    found: dict[str, str] = {}
    waiting = list(wanted)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        installed = next(iter(metadata.distributions(name=name)), None)
        if installed is None or not requirement.specifier.contains(installed.version, prereleases=True):
            continue
        is_new = name not in found
        found[name] = installed.version
        extras = ["", *requirement.extras]
        for each in map(Requirement, installed.requires or ()) if is_new or requirement.extras else ():
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(each)
    return found
