"""Lines that only parts have are taken over, each once, whatever was cut off where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import FlowyardError, UserError
from flowyard.records import LineCounts, LineResult, RunRecord
from flowyard.runs.parts import has_parts, merge_parts
from flowyard.runs.results import read_lines
from flowyard.runs.resume import recover
from flowyard.sessions.cluster.parts import make_place, open_part, read_parts, require_storage
from flowyard.sessions.encoding import LineEncoder

LINES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=8)
"""Numbers of lines and whether they were completed."""


def a_run(path: Path) -> RunRecord:
    path.mkdir()
    return RunRecord(
        name="r", status="running", flow="f", path=path, created_at="2026-01-01T00:00:00", lines=LineCounts(total=7)
    )


def line(number: int, *, completed: bool = True, said: str = "part") -> bytes:
    status = "completed" if completed else "failed"
    result = LineResult(number, status, {"x": number}, {"by": said})
    return LineEncoder(Path("nowhere")).finished(result).text


def stored(run: RunRecord) -> dict[int, tuple[str, object]]:
    return {each.line_number: (each.status, each.outputs["by"]) for each in read_lines(run)}


@given(had=LINES, parts=st.lists(LINES, max_size=3), torn=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_every_line_is_taken_over_once(
    had: list[tuple[int, bool]],
    parts: list[list[tuple[int, bool]]],
    torn: int,
    tmp_path_factory: pytest.TempPathFactory,
):
    run = a_run(tmp_path_factory.mktemp("run") / "r")
    before = b"".join(line(number, completed=ok, said="had") + b"\n" for number, ok in had)
    run.lines_path.write_bytes(before + line(0)[:torn])
    place = make_place(run.path, None)
    for number, part in enumerate(parts):
        writer = open_part(place, f"worker{number}")
        writer.write(line(n, completed=ok) for n, ok in part)
        writer.close()
        with (Path(place) / f"worker{number}.jsonl").open("ab") as file:
            file.write(line(6)[:torn])
    last = dict(had)
    ever = {n for n, ok in had if ok} | {n for part in parts for n, ok in part if ok}
    merge_parts(run)
    after = run.lines_path.read_bytes()
    assert after.startswith(before)
    found = stored(run)
    assert found.keys() == last.keys() | {n for part in parts for n, _ in part}
    added = [number for number in found if number not in last]
    assert all(found[n] == ("completed", "part") for n in added if n in ever)
    assert len(after.splitlines()) <= len(had) + 2 * len(found)
    assert not has_parts(run)
    merge_parts(run)
    assert run.lines_path.read_bytes() == after


def test_a_completed_line_goes_over_a_failed_one_and_never_the_other_way(tmp_path: Path):
    run = a_run(tmp_path / "r")
    run.lines_path.write_bytes(line(0, completed=False, said="had") + b"\n" + line(1, said="had") + b"\n")
    writer = open_part(make_place(run.path, None), "w")
    writer.write([line(0), line(1, completed=False), line(2, completed=False)])
    writer.close()
    merge_parts(run)
    assert stored(run) == {0: ("completed", "part"), 1: ("completed", "had"), 2: ("failed", "part")}


def test_lines_of_a_part_are_not_run_again(tmp_path: Path):
    run = a_run(tmp_path / "r")
    run.lines_path.write_bytes(line(0) + b"\n")
    writer = open_part(make_place(run.path, None), "w")
    writer.write([line(3), line(4, completed=False)])
    writer.close()
    found, lines = recover(run, retry_failed=True)
    assert [each.line_number for each in lines] == [0, 3]
    assert 4 not in found.done


@pytest.mark.parametrize("scheme", ["local", "file", ""])
def test_parts_elsewhere_are_found_again(scheme: str, tmp_path: Path):
    run = a_run(tmp_path / "r")
    base = f"{tmp_path}/storage"
    place = make_place(run.path, require_storage(f"{scheme}://{base}/" if scheme else base))
    writer = open_part(place, "w")
    writer.write([line(1)])
    writer.write([line(2), line(3)])
    writer.close()
    assert sorted(raw.count(b"part") for raw in read_parts(run.path)) == [1, 1, 1]
    merge_parts(run)
    assert sorted(stored(run)) == [1, 2, 3]
    assert not [file for file in (tmp_path / "storage").rglob("*") if file.is_file()]


def test_parts_are_private(tmp_path: Path):
    run = a_run(tmp_path / "r")
    writer = open_part(make_place(run.path, None), "w")
    writer.write([line(1)])
    writer.close()
    assert (run.path / "parts").stat().st_mode & 0o777 == 0o700
    assert (run.path / "parts" / "w.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_a_node_does_not_see_is_said(tmp_path: Path):
    with pytest.raises(FlowyardError, match="does not see") as caught:
        open_part(str(tmp_path / "elsewhere"), "w")
    assert "--storage" in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["s3://name:word@bucket", "relative/folder", "no-such-thing://x"])
def test_storage_that_cannot_be_used(url: str):
    with pytest.raises(UserError) as caught:
        require_storage(url)
    assert "word" not in str(caught.value).replace("password", "")
