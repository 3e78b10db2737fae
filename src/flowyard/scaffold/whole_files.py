"""Writing several files that are all new, or of which it is said which ones are not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from flowyard._util.files import write_atomic
from flowyard._util.suggest import known_names
from flowyard.errors import Conflict, UserError

__all__ = ["absent_files", "left_behind", "new_folder", "place_files"]

_BEGUN = "begun-"


def new_folder(folder: Path, files: Mapping[PurePosixPath, bytes]) -> list[Path]:
    """Make a folder with these files in one step: it is there with all of them, or not at all.

    Raises Conflict when something of that name is there.
    """
    if folder.exists() or folder.is_symlink():
        raise Conflict(f"{folder} is there already.", hint="Choose another name; nothing is overwritten.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    begun = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.{_BEGUN}"))
    try:
        for name, content in files.items():
            _write(begun / name, content)
        begun.chmod(0o755)
        begun.rename(folder)
    except BaseException as error:
        shutil.rmtree(begun, ignore_errors=True)
        if isinstance(error, OSError) and folder.exists():
            raise Conflict(f"{folder} is there already.", hint="Choose another name; nothing is overwritten.") from None
        raise
    return [folder / name for name in files]


def left_behind(folder: Path) -> list[Path]:
    """What runs of ``new_folder`` left that were killed, or have begun just now: who made it cannot be told."""
    start = f".{folder.name}.{_BEGUN}"
    return sorted(each for each in folder.parent.iterdir() if each.name.startswith(start))


def place_files(
    folder: Path, files: Mapping[PurePosixPath, bytes], force: Collection[str] = (), *, hint: str | None = None
) -> list[Path]:
    """Write files into a folder that may have others; those that are there with that very content are left alone.

    Raises Conflict, before anything is written, when another file would be overwritten that ``force`` does not name
    (``hint`` is the next step of a command without ``--keep`` and ``--force FILE``),
    and UserError when ``force`` names none of the files or a place leads out of the folder.
    """
    unknown = sorted(set(force) - {name.as_posix() for name in files})
    if unknown:
        known = known_names([name.as_posix() for name in files], most=40)
        raise UserError(f"--force names what is not written: {known_names(unknown)}.", hint=f"Written are: {known}.")
    for name in files:
        _require_inside(folder, name)
    taken = [name.as_posix() for name, content in files.items() if _is_another(folder / name, content)]
    kept = [name for name in taken if name not in force]
    if kept:
        forced = " ".join(f"--force {name}" for name in kept)
        hint = hint or f"To leave them and write the others: --keep\nTo have them overwritten: {forced}"
        raise Conflict(f"{folder} has {known_names(kept, most=40)} already; nothing was written.", hint=hint)
    written = []
    for name, content in files.items():
        if not (folder / name).is_file() or name.as_posix() in taken:
            _write(folder / name, content)
            written.append(folder / name)
    return written


def absent_files(
    folder: Path, files: Mapping[PurePosixPath, bytes], force: Collection[str] = ()
) -> dict[PurePosixPath, bytes]:
    """Those of the files that are not there yet, are there with that very content, or are named by ``force``."""
    return {
        name: content
        for name, content in files.items()
        if name.as_posix() in force or not _is_another(folder / name, content)
    }


def _is_another(place: Path, content: bytes) -> bool:
    if not place.exists() and not place.is_symlink():
        return False
    return not place.is_file() or place.read_bytes() != content


def _require_inside(folder: Path, name: PurePosixPath) -> None:
    """A link among the folders, or the file itself being one, could lead anywhere."""
    place = folder
    for number, part in enumerate(name.parts, start=1):
        place = place / part
        is_last = number == len(name.parts)
        if place.is_symlink():
            raise UserError(f"{place} is a link, which nothing is written through.", hint="Replace it, or remove it.")
        if place.exists() and not place.is_dir() and not is_last:
            raise Conflict(f"{place} is a file where a folder is needed.", hint="Move it away first.")
        if is_last and place.is_dir():
            raise Conflict(f"{place} is a folder where a file is needed.", hint="Move it away first.")


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(place, content, durable=False)
