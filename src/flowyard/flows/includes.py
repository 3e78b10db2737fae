"""The folder that a flow's code runs in: that of its file, the one ``code`` names, or a copy merged with includes.

``additional_includes`` lists files and folders from elsewhere. They are laid, each by its own name, over a temporary
copy of the flow's folder, which lives as long as the ``MergedFolder`` that made it. Links are copied as links and never
followed: inside the folder they point to the same place of the copy, outside to where they pointed.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard._util.left_out import LEFT_OUT
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import FlowInvalid, Problem
from flowyard.flows.model import Flow

if TYPE_CHECKING:
    from flowyard._util.yamlfile import YamlFile

__all__ = ["FlowFolder", "MergedFolder", "lost_files", "merged_folder", "resolve_folder", "without_keys"]

_LEFT_OUT = {".git", ".flowyard", ".promptflow", ".venv", "__pycache__"}


class MergedFolder:
    """A temporary copy of a flow's folder with its includes; deleted with this object, or when the process ends."""

    def __init__(self, name: str) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="flowyard-"))
        self.path = self._root / name
        self.warnings: tuple[str, ...] = ()
        self._files: frozenset[str] = frozenset()
        self._delete = weakref.finalize(self, _delete, self._root, os.getpid())

    def close(self) -> None:
        """Delete the copy now; safe to call again."""
        self._delete()

    def settle(self) -> None:
        """Take what is there as the flow's own files."""
        self._files = frozenset(_files_in(self.path))

    def written(self) -> list[str]:
        """Files, relative to the copy, that were not there when it was made: they are deleted with it."""
        return sorted(file for file in _files_in(self.path) if file not in self._files)


@dataclass(frozen=True, slots=True)
class FlowFolder:
    """``folder`` is the working directory of a flow's code; ``keep`` holds it on disk if it is a merged copy."""

    folder: Path
    keep: MergedFolder | None = None
    warnings: tuple[str, ...] = field(default=())


def resolve_folder(file: YamlFile) -> FlowFolder:
    """Where the code of a flow file runs, by its keys ``code`` and ``additional_includes``. Raises FlowInvalid.

    Both are relative to the file; ``code`` counts in flex flows only, as in prompt flow.
    """
    raw = file.data if isinstance(file.data, Mapping) else {}
    base = file.path.parent.resolve()
    folder, ignored = _code_folder(file, raw, base)
    includes = raw.get("additional_includes")
    if not includes:
        return FlowFolder(folder, warnings=ignored)
    if not isinstance(includes, list) or not all(isinstance(item, str) for item in includes):
        problem = Problem("'additional_includes' must be a list of paths.", file.where("additional_includes"))
        raise _invalid(file.path, [problem])
    merged = merged_folder(folder, includes, base, lambda index: file.where("additional_includes", index), file.path)
    copy = merged.path / file.path.name
    if folder == base and copy.is_file():
        _forget_includes(copy, file)
    return FlowFolder(merged.path, merged, (*ignored, *merged.warnings))


def _code_folder(file: YamlFile, raw: Mapping[str, Any], base: Path) -> tuple[Path, tuple[str, ...]]:
    code = raw.get("code")
    if code is None:
        return base, ()
    if "entry" not in raw:
        return base, (f"{file.where('code')}: 'code' is ignored, because only flex flows have it.",)
    folder = (base / str(code)).resolve()
    if not folder.is_dir():
        message = f"'code' names the folder {str(code)!r}, which does not exist."
        raise _invalid(file.path, [Problem(message, file.where("code"))])
    return folder, ()


def merged_folder(
    folder: Path, includes: Sequence[str], base: Path, where: Callable[[int], str], flow_file: Path
) -> MergedFolder:
    """A copy of ``folder`` with every include, relative to ``base``, laid over it by its name.

    ``where`` gives the ``file:line`` of an include by its index. Raises FlowInvalid naming every one that is missing.
    """
    sources = [_source(base, include) for include in includes]
    missing = [
        _missing(include, source, where(index))
        for index, (include, source) in enumerate(zip(includes, sources, strict=True))
        if not source.exists()
    ]
    if missing:
        raise _invalid(flow_file, missing)
    merged = MergedFolder(folder.name)
    try:
        _copy_folder(folder, merged.path)
        warnings: list[str] = []
        for index, (include, source) in enumerate(zip(includes, sources, strict=True)):
            try:
                warnings += [f"{where(index)}: {text}" for text in _lay_over(include, source, merged.path)]
            except FileExistsError as error:
                problem = Problem(f"additional_includes cannot lay {include!r} over the flow: {error}.", where(index))
                raise _invalid(flow_file, [problem]) from None
    except BaseException:
        merged.close()
        raise
    merged.warnings = tuple(warnings)
    merged.settle()
    return merged


def _forget_includes(copy: Path, file: YamlFile) -> None:
    """Empty the lines of ``additional_includes`` in the copied flow file, so that the copy stands for itself."""
    text = without_keys(file, ("additional_includes",))
    copy.unlink()  # it may be a link, or not writable
    copy.write_text(text, "utf-8")


def without_keys(file: YamlFile, keys: Sequence[str]) -> str:
    """The text of a flow's file with the lines of some of its top keys empty."""
    tops = sorted(line for found, line in file.lines.items() if len(found) == 1)
    lines = file.path.read_text("utf-8-sig").split("\n")
    for key in keys:
        if (key,) not in file.lines:
            continue
        start = file.line((key,))
        end = next((line for line in tops if line > start), None)
        stop = len(lines) if end is None else end - 1
        lines[start - 1 : stop] = [""] * (stop - start + 1)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Source:
    """What an include names: a file or folder, or a folder that is to become the archive ``zipped_as``."""

    path: Path
    zipped_as: str | None = None

    def exists(self) -> bool:
        return self.path.exists()


def _source(base: Path, include: str) -> _Source:
    path = (base / include).resolve()
    if path.suffix == ".zip" and not path.exists() and path.with_suffix("").is_dir():
        return _Source(path.with_suffix(""), path.name)
    return _Source(path)


def _missing(include: str, source: _Source, where: str) -> Problem:
    parent = source.path.parent
    near = did_you_mean(source.path.name, [item.name for item in parent.iterdir()] if parent.is_dir() else [])
    return Problem(f"additional_includes names {include!r}, which does not exist.", where, near)


def _invalid(flow_file: Path, problems: Sequence[Problem]) -> FlowInvalid:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return FlowInvalid(f"{flow_file} cannot be run ({count}):", problems)


def _lay_over(include: str, source: _Source, target: Path) -> Iterator[str]:
    """Copy one include into the merged folder; yields a sentence for each file that it replaces.

    Raises FileExistsError with a sentence where a file and a folder have one name, or a link leads out of the copy.
    """
    if source.zipped_as:
        if (target / source.zipped_as).exists():
            yield f"{include!r} replaces the flow's own {source.zipped_as}."
        _zip_folder(source.path, target / source.zipped_as)
        return
    is_folder = source.path.is_dir()
    for path in list(_walk(source.path)) if is_folder else [source.path]:
        relative = Path(source.path.name) / path.relative_to(source.path)
        _require_room(target, relative)
        if os.path.lexists(target / relative):
            yield f"{include!r} replaces the flow's own {relative.as_posix()}."
        _copy(path, target / relative, source.path if is_folder else source.path.parent)


def _require_room(target: Path, relative: Path) -> None:
    for parent in [*reversed(relative.parents)][1:]:
        if (target / parent).is_symlink():
            raise FileExistsError(
                f"{parent.as_posix()} is a link in the flow's folder, and nothing is written through it"
            )
        if (target / parent).is_file():
            raise FileExistsError(f"{parent.as_posix()} is a file in the flow's folder")
    if (target / relative).is_dir() and not (target / relative).is_symlink():
        raise FileExistsError(f"{relative.as_posix()} is a folder in the flow's folder")


def _copy_folder(folder: Path, target: Path) -> None:
    found = list(_walk(folder, with_empty=True))  # all of it first: the copy may lie inside
    target.mkdir(parents=True)
    for path in found:
        _copy(path, target / path.relative_to(folder), folder)


def _walk(folder: Path, *, with_empty: bool = False) -> Iterator[Path]:
    """Files and links below a folder, and empty folders if wanted, without what tools leave; links are not entered."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name in _LEFT_OUT:
            continue
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False):
            yield path
        elif any(path.iterdir()):
            yield from _walk(path, with_empty=with_empty)
        elif with_empty:
            yield path


def _copy(path: Path, target: Path, root: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        target.unlink()  # it may be a link, or not writable
    if path.is_symlink():
        _copy_link(path, target, root)
    elif path.is_dir():
        target.mkdir()
    elif path.is_file():  # sockets and pipes stay where they are
        shutil.copy2(path, target)


def _copy_link(link: Path, target: Path, root: Path) -> None:
    """The same link in the copy: relative if it stays inside the folder, absolute if it leads out of it."""
    pointed = Path(os.path.realpath(link))
    if pointed.is_relative_to(root):
        target.symlink_to(os.path.relpath(pointed, link.parent), target_is_directory=pointed.is_dir())
    else:
        target.symlink_to(pointed, target_is_directory=pointed.is_dir())


def _zip_folder(folder: Path, archive: Path) -> None:
    """An archive that depends on names and contents alone: no times, no modes, nothing that a library decides."""
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(_member(f"{folder.name}/"), b"")
        for path in _walk(folder):
            if any(_is_left_out(part) for part in path.relative_to(folder).parts):
                continue
            name = (Path(folder.name) / path.relative_to(folder)).as_posix()
            with path.open("rb") as source, writer.open(_member(name), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)


def _is_left_out(name: str) -> bool:
    """Whether it is a cache or may hold secrets: nobody can take that out of an archive again."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = 0o40755 << 16 if name.endswith("/") else 0o100644 << 16
    return member


def _files_in(folder: Path) -> Iterator[str]:
    for path in _walk(folder):
        yield path.relative_to(folder).as_posix()


def _delete(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child does not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)


def lost_files(flow: Flow) -> tuple[str, ...]:
    """A warning of the files that the flow's code wrote where they will be deleted, if any."""
    keep = flow.keep
    lost = keep.written() if isinstance(keep, MergedFolder) else []
    if not lost:
        return ()
    return (
        f"{flow.file.name}: the flow runs in a temporary copy because of 'additional_includes', so what it "
        f"wrote into its folder is deleted with it: {known_names(lost)}. Write to an absolute path instead.",
    )
