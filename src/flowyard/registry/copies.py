"""A version of one registry in another: the same bytes under the same digest, with what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from flowyard.errors import StoreError, UserError
from flowyard.registry.lineage import copied_fact, is_same_fact, note_fact
from flowyard.registry.model import Draft, LineageFact, Version
from flowyard.registry.register_flow import FlowRegistered, add_facts
from flowyard.registry.registry import Registry
from flowyard.settings import Settings

__all__ = ["copy_version", "other_settings"]


def copy_version(version: Version, source: Registry, target: Registry, by: str) -> FlowRegistered:
    """Keep the files of a version, checked byte by byte, in another registry under the same name.

    Its number there is the next one of that registry, or that of the version which has the digest already. Facts say
    where they were copied from; nothing is copied twice. Raises StoreError when a digest differs.
    """
    folder = source.folder(version)
    draft = Draft(
        version.kind,
        version.name,
        version.files,
        tuple(folder / file.name for file in version.files),
        version.is_folder,
        version.description,
        version.settings,
    )
    if draft.digest != version.digest:
        raise StoreError(f"{version.label} does not fit its digest.", hint="Restore the registry from a backup.")
    registered = target.add(draft)
    if registered.version.digest != version.digest:
        raise StoreError(f"{target.label} has another digest for what was copied.", hint="Restore it from a backup.")
    place = f"{version.label} of {source.label}"
    before = target.facts(registered.version)
    known = [copied_fact(fact, place) for fact in source.facts(version)]
    facts = [*_origin(before, place, by), *known] if registered.is_new else known
    added = add_facts(target, registered.version, facts, before)
    return FlowRegistered(registered.version, registered.is_new, added, ())


def _origin(before: Sequence[LineageFact], place: str, by: str) -> list[LineageFact]:
    fact = copied_fact(note_fact("Copied, not rebuilt.", by), place)
    return [] if any(is_same_fact(fact, each) for each in before) else [fact]


def other_settings(settings: Settings, target: str, files: str | None) -> Settings:
    """Settings with which ``open_registry`` opens another registry.

    ``target`` is a URL as ``FLOWYARD_REGISTRY`` has it, the URL of a database with a registry, the home folder of a
    project, or ``env:NAME`` for a variable that holds one of these. Raises UserError for a URL with a password.
    """
    if target.startswith("env:"):
        name = target.removeprefix("env:")
        target = settings.environ.get(name, "")
        if not target:
            raise UserError(f"--to: the environment variable {name} is not set.")
    elif "://" in target and urlsplit(target).password:
        raise UserError(
            "--to: others on this machine can read a password that stands in a command.",
            hint="Put the URL into a variable of the environment, and write --to env:NAME.",
        )
    if "://" not in target:
        folder = Path(target).resolve()
        if not (folder / "flowyard.db").is_file():
            hint = "Name the .flowyard folder of a project that has a registry."
            raise UserError(f"--to: there is no registry in {folder}.", hint=hint)
        return replace(settings, home=folder, store=None, registry=None, registry_files=files)
    if urlsplit(target).scheme in ("postgresql", "postgres", "sqlite"):
        if files is None:
            raise UserError("--to: the files of that registry are elsewhere.", hint="Say where: --to-files URL")
        return replace(settings, store=target, registry=None, registry_files=files)
    return replace(settings, registry=target, registry_files=files)
