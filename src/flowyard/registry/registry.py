"""The registry as commands, experiments and releases use it: versions by label, their files on this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.abc import RegistryStore
from flowyard.errors import Conflict, NotFound, UserError
from flowyard.registry.blobs import copy_checked, damaged, outside_errors
from flowyard.registry.cache import TreeCache
from flowyard.registry.labels import Label, parse_label, require_alias, require_name
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.seen import SeenFiles
from flowyard.registry.tree import hash_files, iter_files

__all__ = ["Registry", "dataset_draft"]


class Registry:
    """A store of versions, with a folder that keeps on this machine what was fetched from it.

    Any number of processes may use both at once. Every method raises OutsideError when the store cannot be reached, and
    StoreError when what it has is damaged.
    """

    def __init__(self, store: RegistryStore, cache_folder: Path) -> None:
        self.store = store
        self.label = store.label
        self._cache = TreeCache(cache_folder)
        self._seen_folder = cache_folder / "seen"

    def register(self, path: Path, name: str, description: str = "", kind: Kind = "dataset") -> Registered:
        """Keep a file or folder under a name; a new version only when no earlier one has the same names and bytes.

        What ``ignore.py`` names is left out. Raises UserError for a bad name, an empty folder and what is no
        plain file, NotFound when nothing is there, Conflict when it changes meanwhile.
        """
        seen = SeenFiles(self._seen_folder, path)
        registered = self.add(dataset_draft(path, name, description, kind, seen))
        seen.save()
        return registered

    def add(self, draft: Draft) -> Registered:
        """Keep what was drafted; a new version only when none of that name has its content."""
        require_name(draft.name)
        registered = self.store.add(draft)
        if registered.is_new and self.store.shares_files:
            self.folder(registered.version)
        return registered

    def names(self, kind: Kind = "dataset") -> Sequence[str]:
        """What has at least one version, sorted."""
        return self.store.names(kind)

    def versions(self, name: str, kind: Kind = "dataset") -> Sequence[Version]:
        """All versions of a name, oldest first; empty when there is none."""
        return self.store.versions(kind, require_name(name))

    def find(self, label: str, kind: Kind = "dataset") -> Version:
        """The version that ``NAME:VERSION`` or ``NAME@ALIAS`` names; the newest for a name alone.

        Raises NotFound with what there is, UserError for what is no such label.
        """
        wanted = parse_label(label)
        versions = self.store.versions(kind, wanted.name)
        if not versions:
            raise NotFound(f"No {kind} {wanted.name!r} is registered.", hint=self._other_way(kind, wanted.name))
        if wanted.version is None and wanted.alias is None:
            return versions[-1]
        number = wanted.version if wanted.alias is None else self._number(wanted, kind)
        for each in versions:
            if str(each.version) == number:
                return each
        raise NotFound(
            f"{kind.capitalize()} {wanted.name!r} has no version {number!r}.",
            hint=f"Versions: 1 to {versions[-1].version}." if len(versions) > 1 else "It has version 1.",
        )

    def resolve(self, label: str, kind: Kind = "dataset") -> Path:
        """Where the files of a version are: the file or folder, read only, with the names it was registered with.

        Every byte is checked against the digest. Raises as :meth:`find`, and StoreError for changed files.
        """
        version = self.find(label, kind)
        self.folder(version)
        return self.path(version)

    def folder(self, version: Version) -> Path:
        """The folder with the files of a version, read only, every byte checked; fetched once."""
        return self._cache.get(version, self.store.fetch)

    def path(self, version: Version) -> Path:
        """Where the file or folder of a version is once it was resolved; unchecked."""
        place = self._cache.place(version)
        return place if version.is_folder else place / version.files[0].name

    def checkout(self, version: Version, folder: Path) -> None:
        """Write the files of a version into a new or empty folder, byte for byte; they are the caller's own then.

        Raises Conflict when something is in the folder, UserError when it is none. Nothing is written outside of it.
        """
        with outside_errors(folder):
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise UserError(f"{folder} is no folder.", hint="Name a new or an empty one.")
            if folder.exists() and any(folder.iterdir()):
                raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
            source = self.folder(version)
            folder.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".checkout-", dir=folder))
            try:
                _copy_files(version, source, work)
                for entry in list(work.iterdir()):
                    entry.rename(folder / entry.name)
            finally:
                shutil.rmtree(work)

    def move_alias(self, name: str, change: AliasChange, kind: Kind = "dataset") -> None:
        """Point an alias at a version, or take it away. Raises NotFound when there is no such version or alias."""
        require_alias(change.alias)
        if change.version is None and change.alias not in self.aliases(name, kind):
            raise NotFound(f"{kind.capitalize()} {name!r} has no alias {change.alias!r}.")
        self.store.move_alias(kind, require_name(name), change)

    def aliases(self, name: str, kind: Kind = "dataset") -> Mapping[str, int]:
        """The number of the version that each alias points at now, sorted by alias."""
        last = {change.alias: change.version for change in self.alias_changes(name, kind)}
        return {alias: version for alias, version in sorted(last.items()) if version is not None}

    def alias_changes(self, name: str, kind: Kind = "dataset") -> Sequence[AliasChange]:
        """Every change of the aliases of a name, oldest first."""
        return self.store.alias_changes(kind, require_name(name))

    def add_fact(self, version: Version, fact: LineageFact) -> None:
        """Write down what became known of a version."""
        self.store.add_fact(version, fact)

    def facts(self, version: Version) -> Sequence[LineageFact]:
        """What is known of a version, oldest first."""
        return self.store.facts(version)

    def _other_way(self, kind: Kind, name: str) -> str:
        """What to do about a name that has no version of that kind."""
        other: Kind = "dataset" if kind == "flow" else "flow"
        if self.store.versions(other, name):
            return f"{name!r} is a {other}. See: flowyard registry show {name}"
        return did_you_mean(name, self.store.names(kind)) or _how_to_register(kind, name)

    def _number(self, wanted: Label, kind: Kind) -> str:
        """The number, as text, of the version that an alias points at."""
        aliases, alias = self.aliases(wanted.name, kind), str(wanted.alias)
        if alias not in aliases:
            hint = did_you_mean(alias, aliases) or f"Aliases: {known_names(aliases)}."
            raise NotFound(f"{kind.capitalize()} {wanted.name!r} has no alias {alias!r}.", hint=hint)
        return str(aliases[alias])


def dataset_draft(
    path: Path, name: str, description: str = "", kind: Kind = "dataset", seen: SeenFiles | None = None
) -> Draft:
    """A file or folder as it is to be registered; read once, on several threads, and nothing is written.

    Files that are as they were ``seen`` are not read. Raises as :meth:`Registry.register`.
    """
    require_name(name)
    with outside_errors(path):
        places: list[Path] = []
        files = hash_files(_noting(iter_files(path), places), seen)
        if not files:
            raise UserError(f"There is no file in {path}.", hint="What is never registered or ignored does not count.")
        order = sorted(range(len(files)), key=lambda number: files[number].name.encode())
        ordered = tuple(files[number] for number in order)
        return Draft(kind, name, ordered, tuple(places[number] for number in order), path.is_dir(), description)


def _noting(found: Iterator[tuple[str, Path]], places: list[Path]) -> Iterator[tuple[str, Path]]:
    """What is found, while the paths of it are noted."""
    for name, place in found:
        places.append(place)
        yield name, place


def _copy_files(version: Version, source: Path, target: Path) -> None:
    for file in version.files:
        place = target / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with (source / file.name).open("rb") as kept, place.open("xb") as copy:
            if copy_checked(kept, copy) != file.digest:
                raise damaged(str(source / file.name))


def _how_to_register(kind: Kind, name: str) -> str:
    if kind == "dataset":
        return f"Register it: flowyard dataset register PATH --name {name}"
    return f"Register it: flowyard registry register PATH --name {name}"
