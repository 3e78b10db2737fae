"""What changed between two versions, line by line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.registry.diff import compare_versions, side_by_side
from flowyard.registry.model import LineageFact, Version
from flowyard.registry.tree import hash_files
from flowyard.reports.version_diff import render_version_diff

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "d e"]), max_size=12).map("\n".join)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_the_sides(before: str, after: str):
    rows = side_by_side(before, after)
    assert [row.before for row in rows if row.how != "added"] == before.splitlines()
    assert [row.after for row in rows if row.how != "removed"] == after.splitlines()
    assert all((row.before == row.after) == (row.how == "same") for row in rows if row.how in ("same", "changed"))


def test_of_equal_lines_only_those_beside_a_change_are_shown():
    equal = [str(number) for number in range(20)]
    rows = side_by_side("\n".join([*equal, "x", *equal]), "\n".join([*equal, "y", *equal]), context=2)
    assert [row.before for row in rows] == ["… 18 equal lines", "18", "19", "x", "0", "1", "… 18 equal lines"]


def version(folder: Path, number: int, **files: bytes) -> Version:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    found = hash_files([(name, folder / name) for name in sorted(files)])
    settings = {"variant": {"work": f"v{number}"}, "parameters": {} if number == 1 else {"work.n": "<b>"}}
    return Version("flow", "echo", number, str(number) * 64, found, True, "", "2026-01-01T00:00:00+00:00", settings)


def metrics(value: object, dataset: str = "rows") -> LineageFact:
    found = {"accuracy": value, "same": 1, "word": "x", "yes": True}
    return LineageFact("metrics", {"run": "r", "dataset": dataset, "metrics": found}, "me", "2026-01-01T00:00:00+00:00")


def test_files_choices_and_metrics(tmp_path: Path):
    one = version(
        tmp_path / "1", 1, gone=b"1", latin="größe".encode("latin-1"), crlf=b"a\r\nb\r\n", same=b"s", big=b"x"
    )
    two = version(tmp_path / "2", 2, new=b"1", latin=b"ascii", crlf=b"a\nb\n", same=b"s", big=b"y" * 500_000)
    facts = ([metrics(0.1), metrics(0.5)], [metrics(0.75), metrics(0.9, "other")])
    found = compare_versions(one, two, (tmp_path / "1", tmp_path / "2"), facts)
    assert {file.name: (file.how, file.is_text) for file in found.files} == {
        "gone": ("removed", True),
        "latin": ("changed", False),
        "crlf": ("changed", True),
        "new": ("added", True),
        "big": ("changed", False),
    }
    assert found.unchanged_files == 1
    crlf = next(file for file in found.files if file.name == "crlf")
    assert crlf.unified("a", "b") == ["(only ends of lines differ)"]
    assert [(each.name, each.before, each.after) for each in found.settings] == [
        ("variant.work", "v1", "v2"),
        ("parameters.work.n", None, "<b>"),
    ]
    assert [(each.metric, each.dataset, each.before, each.after) for each in found.moved] == [
        ("accuracy", "rows", 0.5, 0.75)
    ]
    assert {(each.metric, each.dataset) for each in found.metrics if each.moved is None} == {
        ("accuracy", "other"),
        ("same", "other"),
    }
    page = render_version_diff(found)
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "+0.25" in page
    assert "simulated" not in page
    run = LineageFact("run", {"name": "r", "simulated": True}, "me", "2026-01-01T00:00:00+00:00")
    marked = compare_versions(one, two, (tmp_path / "1", tmp_path / "2"), ([*facts[0], run], facts[1]))
    assert "come from a simulated model" in render_version_diff(marked)
