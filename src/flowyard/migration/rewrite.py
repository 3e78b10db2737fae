"""Changes of experiment files that change nothing of what they do, and the report; no file is ever lost."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard._util.yamlfile import YamlFile, parse_yaml
from flowyard.errors import UserError
from flowyard.migration.experiment_files import IGNORED_IN_OVERLAYS, known_keys
from flowyard.migration.model import Change
from flowyard.migration.places import overlays

__all__ = ["BACKUP", "Written", "change_text", "find_changes", "keep_and_write", "require_writable"]

BACKUP = ".before-migration"
"""What the name of a kept file ends with; the second one of a name has a number after it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, where what it said before is kept, and the difference as a patch."""

    file: Path
    backup: Path | None
    difference: str


def find_changes(folder: Path) -> tuple[Change, ...]:
    """What of the experiment files in ``folder`` can be changed safely; files that cannot be read are left alone."""
    files = {folder / "experiment.yaml": False, **dict.fromkeys(overlays(folder).values(), True)}
    found = (_change(file, is_overlay=is_overlay) for file, is_overlay in files.items() if not file.is_symlink())
    return tuple(change for change in found if change is not None)


def change_text(change: Change) -> str:
    """The change as a patch."""
    return _difference(change.file.name, change.before, change.after)


def keep_and_write(file: Path, text: str) -> Written | None:
    """Write a file; what was there under its name is kept beside it. None when it says that already.

    Raises UserError as ``require_writable`` does.
    """
    require_writable(file)
    before = file.read_bytes() if file.is_file() else None
    after = text.encode()
    if before == after:
        return None
    backup = None if before is None else _backup(file, before)
    write_atomic(file, after)
    shown = "" if before is None else before.decode("utf-8", "backslashreplace")
    return Written(file, backup, _difference(file.name, shown, text))


def require_writable(file: Path) -> None:
    """Raises UserError for a link, whose target may lie elsewhere, and for a folder of that name."""
    if file.is_symlink():
        raise UserError(f"{file} is a link, and is not written through.", hint="Put a file in its place, or remove it.")
    if file.is_dir():
        raise UserError(f"{file} is a folder where a file is written.", hint="Move it away first.")


def _change(file: Path, *, is_overlay: bool) -> Change | None:
    try:
        before = file.read_bytes().decode("utf-8")
        found = parse_yaml(before, file)
    except (OSError, UnicodeDecodeError, UserError):
        return None
    if not isinstance(found.data, Mapping):
        return None
    lines = before.splitlines(keepends=True)
    reasons = [*_comment_out(found, lines, is_overlay=is_overlay), *_rename_endpoints(found, lines)]
    after = "".join(lines)
    return Change(file, before, after, tuple(reasons)) if reasons and _is_sound(file, found, after) else None


def _comment_out(file: YamlFile, lines: list[str], *, is_overlay: bool) -> list[str]:
    """Keys at the top that nobody reads become comments."""
    reasons = []
    for key in file.data:
        is_ignored = key not in known_keys() or (is_overlay and key in IGNORED_IN_OVERLAYS)
        first = file.line((key,)) - 1
        if not is_ignored or not re.match(rf"[\"']?{re.escape(str(key))}[\"']?\s*:", lines[first]):
            continue  # a key inside braces shares its line with others
        for place in range(first, _end_of_block(lines, first)):
            lines[place] = f"# {lines[place]}" if lines[place].strip() else lines[place]
        reasons.append(f"{key!r} was ignored, and is a comment now.")
    return reasons


def _end_of_block(lines: list[str], first: int) -> int:
    """The line after a top-level key's value."""
    end = first + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " \t-"):
        end += 1
    while end > first + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _rename_endpoints(file: YamlFile, lines: list[str]) -> list[str]:
    reasons = []
    connections = file.data.get("connections")
    for place, each in enumerate(connections if isinstance(connections, list) else []):
        if isinstance(each, Mapping) and "api_endpoint" in each and "api_base" not in each:
            number = file.line(("connections", place, "api_endpoint")) - 1
            changed = re.sub(r"^(\s*(?:-\s+)?)api_endpoint(\s*:)", r"\1api_base\2", lines[number])
            if changed != lines[number]:
                lines[number] = changed
                reasons.append(f"Connection {each.get('name')!r}: api_endpoint is called api_base.")
    return reasons


def _is_sound(file: Path, before: YamlFile, after: str) -> bool:
    """Whether the changed text still is YAML that says the same, but for what was meant to change."""
    try:
        found = parse_yaml(after, file).data or {}
    except UserError:
        return False
    kept = {key: value for key, value in before.data.items() if key in found}
    return bool(isinstance(found, Mapping) and _renamed(kept) == _renamed(found))


def _renamed(data: Mapping[str, object]) -> dict[str, object]:
    connections = data.get("connections")
    if not isinstance(connections, list):
        return dict(data)
    renamed = [
        {
            ("api_base" if key == "api_endpoint" and "api_base" not in each else key): value
            for key, value in each.items()
        }
        if isinstance(each, Mapping)
        else each
        for each in connections
    ]
    return {**data, "connections": renamed}


def _backup(file: Path, before: bytes) -> Path:
    """Where the content is kept: in a new file, or in the one that a run which was stopped after it has written."""
    number = 1
    name = file.with_name(f"{file.name}{BACKUP}")
    while name.exists() or name.is_symlink():
        if name.is_file() and not name.is_symlink() and name.read_bytes() == before:
            return name
        number += 1
        name = file.with_name(f"{file.name}{BACKUP}.{number}")
    write_atomic(name, before)
    return name


def _difference(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{name} (before)", name, lineterm="")
    return "\n".join(lines)
