"""What is different between two versions: files, settings, and metrics that are known of both."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flowyard._util.flat import flat_items
from flowyard.registry.model import LineageFact, Version

__all__ = ["FileChange", "MetricChange", "SettingChange", "SideRow", "VersionDiff", "compare_versions", "side_by_side"]

MOST_TEXT_BYTES = 400_000
"""Of larger files it is said that they changed, not where."""

_LONG = 2_000

_PROMPTS = (".jinja2", ".jinja", ".j2", ".prompty")


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that only one version has, or that has other bytes; the texts are None where it is absent or no text."""

    name: str
    how: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None
    size_before: int | None
    size_after: int | None

    @property
    def is_text(self) -> bool:
        """Whether its lines can be compared."""
        return (self.how == "added" or self.before is not None) and (self.how == "removed" or self.after is not None)

    @property
    def is_prompt(self) -> bool:
        return self.is_text and self.name.lower().endswith(_PROMPTS)

    def unified(self, before: str, after: str) -> list[str]:
        """The lines of a unified diff; ``before`` and ``after`` are what the two sides are called."""
        lines = ((self.before or "").splitlines(), (self.after or "").splitlines())
        names = (f"{before}/{self.name}", f"{after}/{self.name}")
        found = list(difflib.unified_diff(*lines, *names, lineterm=""))
        return found or ["(only ends of lines differ)"]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A variant or parameter that was chosen differently; None where it was not chosen."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric over a dataset, as it was last known of either version; None where it is not known."""

    metric: str
    dataset: str | None
    evaluator: str | None
    before: float | None
    after: float | None

    @property
    def moved(self) -> float | None:
        """How much it went up, negative for down; None when one side is not known."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """From ``before`` to ``after``. ``unchanged_files`` is how many files are the same in both.

    ``metrics`` are those that differ or that are known of one version only; ``simulated`` says that a simulated model
    answered in a run of either.
    """

    before: Version
    after: Version
    files: tuple[FileChange, ...]
    settings: tuple[SettingChange, ...]
    metrics: tuple[MetricChange, ...]
    unchanged_files: int
    simulated: bool = False

    @property
    def moved(self) -> tuple[MetricChange, ...]:
        """The metrics that are known of both versions and differ."""
        return tuple(each for each in self.metrics if each.moved is not None)

    @property
    def is_same(self) -> bool:
        return self.before.digest == self.after.digest


@dataclass(frozen=True, slots=True)
class SideRow:
    """One line of two texts beside each other. ``how`` is ``same``, ``changed``, ``added``, ``removed`` or ``gap``."""

    how: Literal["same", "changed", "added", "removed", "gap"]
    before: str
    after: str


def compare_versions(
    before: Version,
    after: Version,
    folders: tuple[Path, Path],
    facts: tuple[Sequence[LineageFact], Sequence[LineageFact]],
) -> VersionDiff:
    """What changed; ``folders`` hold the files of the two versions, ``facts`` are what is known of them."""
    old, new = ({file.name: file for file in version.files} for version in (before, after))
    changed = [name for name in sorted({**old, **new}) if _content(old.get(name)) != _content(new.get(name))]
    files = tuple(
        FileChange(
            name,
            "added" if name not in old else "removed" if name not in new else "changed",
            _text(folders[0] / name) if name in old else None,
            _text(folders[1] / name) if name in new else None,
            old[name].size if name in old else None,
            new[name].size if name in new else None,
        )
        for name in changed
    )
    settings = tuple(_setting_changes(before.settings, after.settings))
    metrics = tuple(_metric_changes(*facts))
    simulated = any(fact.kind == "run" and fact.value.get("simulated") is True for side in facts for fact in side)
    return VersionDiff(before, after, files, settings, metrics, len({**old, **new}) - len(changed), simulated)


def side_by_side(before: str, after: str, *, context: int | None = None) -> list[SideRow]:
    """Two texts line by line; of equal stretches only ``context`` lines beside a change, or all of them."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[SideRow] = []
    is_long = len(old) + len(new) > _LONG  # then lines that come again and again are no landmarks
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=is_long).get_opcodes():
        if tag == "equal":
            same = [SideRow("same", line, line) for line in old[a:b]]
            rows += same if context is None else _shortened(same, context, is_first=a == 0, is_last=b == len(old))
            continue
        for index in range(max(b - a, d - c)):
            left = old[a + index] if a + index < b else None
            right = new[c + index] if c + index < d else None
            how: Literal["changed", "added", "removed"] = "changed"
            how = "added" if left is None else "removed" if right is None else how
            rows.append(SideRow(how, left or "", right or ""))
    return rows


def _shortened(same: list[SideRow], context: int, *, is_first: bool, is_last: bool) -> list[SideRow]:
    head = [] if is_first else same[:context]
    tail = [] if is_last else same[max(len(head), len(same) - context) :]
    hidden = len(same) - len(head) - len(tail)
    gap = [SideRow("gap", f"… {hidden} equal line{'s' if hidden != 1 else ''}", "")] if hidden else []
    return [*head, *gap, *tail]


def _content(file: Any) -> str | None:
    return file.digest if file is not None else None


def _text(path: Path) -> str | None:
    if path.stat().st_size > MOST_TEXT_BYTES:
        return None
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SettingChange]:
    old, new = dict(flat_items(before)), dict(flat_items(after))
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield SettingChange(name, old.get(name), new.get(name))


_Key = tuple[str, str | None, str | None]


def _metric_changes(before: Iterable[LineageFact], after: Iterable[LineageFact]) -> Iterator[MetricChange]:
    old, new = _metrics(before), _metrics(after)
    for key in sorted({**old, **new}, key=lambda key: [str(part or "") for part in (key[1], key[2], key[0])]):
        if old.get(key) != new.get(key):
            yield MetricChange(*key, old.get(key), new.get(key))


def _metrics(facts: Iterable[LineageFact]) -> dict[_Key, float]:
    """The last value of each metric; a number only."""
    found: dict[_Key, float] = {}
    for fact in facts:
        metrics = fact.value.get("metrics") if fact.kind == "metrics" else None
        for name, value in metrics.items() if isinstance(metrics, Mapping) else ():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[str(name), _word(fact.value.get("dataset")), _word(fact.value.get("evaluator"))] = float(value)
    return found


def _word(value: Any) -> str | None:
    return None if value is None else str(value)
