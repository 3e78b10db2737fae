"""Writing generated files, and saying in what they differ from what is there."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowyard import __version__
from flowyard._util.files import dump_json, write_atomic
from flowyard.errors import Conflict, UserError
from flowyard.pipelines.generate.model import CiFile, CiSettings

__all__ = ["Drift", "find_drift", "marked", "unified_diff", "write_files"]

_MOST_READ = 2_000_000


@dataclass(frozen=True, slots=True)
class Drift:
    """A file that is not as it would be generated: ``here`` is None where it is missing, ``wanted`` where it is left
    over.
    """

    path: PurePosixPath
    here: str | None
    wanted: str | None


def marked(system: str, files: Sequence[CiFile], settings: CiSettings) -> list[CiFile]:
    """The files with the line on top by which they are known as ours: who made them, and of what."""
    made_of = dump_json({"system": system, "version": __version__, "settings": settings.as_data()})
    digest = hashlib.sha256(made_of.encode()).hexdigest()
    line = f"{_sign(system, '#')} Do not edit it; change pipelines.yaml. Input: sha256:{digest}"
    return [CiFile(file.path, f"{_comment(file.path)}{line[1:]}\n{file.text}") for file in files]


def find_drift(root: Path, system: str, files: Sequence[CiFile]) -> Sequence[Drift]:
    """What is not as it should be, by path. Raises Conflict for a file in the way that is not ours."""
    found = []
    for file in files:
        here = _read(root, file.path)
        if here is not None and not _is_own(system, here):
            raise Conflict(
                f"{file.path} is there already, and flowyard did not write it.",
                hint="Rename or delete it, and generate again.",
            )
        if here != file.text:
            found.append(Drift(file.path, here, file.text))
    known = {file.path for file in files}
    for path in _own_files(root, system, {path.parent for path in known}):
        if path not in known:
            found.append(Drift(path, _read(root, path), None))
    return sorted(found, key=lambda each: each.path)


def write_files(root: Path, drift: Sequence[Drift]) -> None:
    """Make the files as they should be; what is left over of ours is removed."""
    for each in drift:
        place = root / each.path
        if each.wanted is None:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, each.wanted)


def unified_diff(drift: Sequence[Drift]) -> str:
    """From what is there to what would be generated, as ``git diff`` shows it."""
    return "".join(_diff(each) for each in drift)


def _diff(drift: Drift) -> str:
    before = f"a/{drift.path}" if drift.here is not None else "/dev/null"
    after = f"b/{drift.path}" if drift.wanted is not None else "/dev/null"
    lines = difflib.unified_diff(
        (drift.here or "").splitlines(keepends=True), (drift.wanted or "").splitlines(keepends=True), before, after
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _sign(system: str, comment: str) -> str:
    return f"{comment} Written by: flowyard pipeline generate {system}."


def _comment(path: PurePosixPath) -> str:
    return "//" if path.name.startswith("Jenkinsfile") or path.suffix == ".groovy" else "#"


def _is_own(system: str, text: str) -> bool:
    return any(text.startswith(_sign(system, comment)) for comment in ("#", "//"))


def _own_files(root: Path, system: str, folders: set[PurePosixPath]) -> Iterator[PurePosixPath]:
    """Files of ours beside those that are generated; the root's own folder has only files with known names."""
    for folder in sorted(folders):
        place = root / folder
        if not place.is_dir():
            continue
        for file in sorted(place.iterdir()):
            if file.is_file() and not file.is_symlink() and _is_own(system, _start(file)):
                yield folder / file.name


def _start(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(200).decode("utf-8", "replace")
    except OSError:
        return ""


def _read(root: Path, path: PurePosixPath) -> str | None:
    """The text that is there; None for nothing. Raises UserError where it leads elsewhere or is no text."""
    for place in (path, *path.parents):
        if (root / place).is_symlink():
            raise UserError(f"{place} is a link: nothing is written through it.", hint="Make it a folder or file.")
    file = root / path
    if not file.exists():
        return None
    if not file.is_file() or file.stat().st_size > _MOST_READ:
        raise Conflict(f"{path} is in the way: it is no file that flowyard wrote.")
    return file.read_bytes().decode("utf-8", "replace")
