"""A flow's folder travels whole, and nothing outside of it does."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.sessions.cluster.archive import pack_folder, unpack_folder

NAMES = st.text("abc.é _-", min_size=1, max_size=8).filter(lambda name: name.strip(".") != "")
Files = dict[tuple[str, ...], bytes]
FILES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.binary(max_size=50), max_size=6)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@given(files=FILES)
@settings(max_examples=40, deadline=None)
def test_what_is_unpacked_is_what_was_packed(files: Files, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("there")
    source, target = root / "source", root / "target"
    source.mkdir()
    for parts, data in files.items():
        file = source.joinpath(*parts)
        if not any(parent.is_file() for parent in file.parents) and not file.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    packed = pack_folder(source)
    unpack_folder(packed.data, target)
    assert contents(target) == contents(source)
    assert packed.left_out == ()


def test_links_stay_links_inside_and_are_left_out_when_they_point_outside(tmp_path: Path):
    (tmp_path / "secret").write_text("not for others")
    flow = tmp_path / "flow"
    (flow / "sub").mkdir(parents=True)
    (flow / "sub" / "a.txt").write_text("a")
    (flow / "file").symlink_to("sub/a.txt")
    (flow / "folder").symlink_to(flow / "sub")  # absolute, and still inside
    (flow / "sub" / "up").symlink_to("../..")
    (flow / "out").symlink_to("../secret")
    (flow / "around").symlink_to(flow)
    packed = pack_folder(flow)
    assert sorted(packed.left_out) == ["out", "sub/up"]
    target = tmp_path / "target"
    unpack_folder(packed.data, target)
    assert (target / "file").read_text() == "a"
    assert (target / "folder" / "a.txt").read_text() == "a"
    assert (target / "folder").resolve() == target / "sub"
    assert (target / "around").resolve() == target
    assert b"not for others" not in packed.data


def test_what_is_unpacked_is_private_and_can_still_be_executed(tmp_path: Path):
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "run.sh").write_text("#!/bin/sh\n")
    (flow / "run.sh").chmod(0o755)
    (flow / "plain").write_text("x")
    (flow / "plain").chmod(0o644)
    unpack_folder(pack_folder(flow).data, tmp_path / "target")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "target").iterdir()}
    assert modes == {"run.sh": 0o700, "plain": 0o600}
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o700


def test_environments_results_and_pipes_do_not_travel(tmp_path: Path):
    for name in (".git/HEAD", ".venv/bin/python", ".flowyard/runs/x", "sub/__pycache__/a.pyc", "sub/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe")
    with zipfile.ZipFile(io.BytesIO(pack_folder(tmp_path).data)) as archive:
        assert archive.namelist() == ["sub/a.py"]


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * 100)
    assert pack_folder(tmp_path, most_bytes=300, most_files=3).data
    for limits in ({"most_bytes": 299}, {"most_files": 2}):
        with pytest.raises(UserError, match="too large") as caught:
            pack_folder(tmp_path, **limits)
        assert caught.value.hint


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a\\..\\out", "C:/out"])
def test_an_archive_that_points_outside_is_refused(name: str, tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(UserError, match="unsafe"):
        unpack_folder(buffer.getvalue(), tmp_path / "target")
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


@pytest.mark.parametrize("target", ["/etc", "../..", "sub/../../x"])
def test_a_link_in_an_archive_that_points_outside_is_refused(target: str, tmp_path: Path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, target)
    with pytest.raises(UserError, match="unsafe link"):
        unpack_folder(buffer.getvalue(), tmp_path / "target")


def test_an_archive_that_is_larger_than_allowed_is_refused(tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 100_000)
    with pytest.raises(UserError, match="larger"):
        unpack_folder(buffer.getvalue(), tmp_path / "target", most_bytes=50_000)
