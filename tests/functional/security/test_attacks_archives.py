"""Archives and packed data made to do harm: nothing outside the target, and an end at size, ratio and count."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from functional_helper import Project
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.runs.data.files import BrokenData, local_file
from flowyard.sessions.cluster.archive import unpack_folder

NAMES = (
    *("../x", "a/../../x", "/x", "//x", "a/../..", "..", "..\\x", "a\\..\\..\\x", "C:\\x", "C:x", "\\\\host\\x"),
    *("./../x", "a/./../../x", "x/", "", "."),
)


def packed(*entries: tuple[str, bytes, int]) -> bytes:
    """A zip of (name, content, mode); names are written as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = name
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def unpacked(data: bytes, folder: Path, **limits: int) -> UserError | None:
    """Unpack into folder/target; what was refused. Nothing beside it may have changed."""
    (folder / "outside").mkdir(exist_ok=True)
    before = everything(folder / "outside")
    try:
        unpack_folder(data, folder / "target", **limits)
    except UserError as error:
        return error
    finally:
        assert everything(folder / "outside") == before
        assert {path.name for path in folder.iterdir()} <= {"outside", "target"}
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_outside(tmp_path: Path, name: str):
    assert unpacked(packed((name, b"x", 0o644)), tmp_path) is not None


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "../../x", "a/../../outside", "./../outside/x"])
def test_a_link_that_leads_outside(tmp_path: Path, target: str):
    link = ("link", target.encode(), stat.S_IFLNK | 0o777)
    assert unpacked(packed(link), tmp_path) is not None
    assert not (tmp_path / "target" / "link").exists()


def test_a_file_is_never_written_through_a_link(tmp_path: Path):
    """The link stays inside, and is laid down after the files."""
    data = packed(("link", b"sub", stat.S_IFLNK | 0o777), ("sub/x", b"1", 0o644))
    assert unpacked(data, tmp_path) is None
    assert (tmp_path / "target" / "link").is_symlink()
    assert (tmp_path / "target" / "sub" / "x").read_bytes() == b"1"


def test_no_bit_of_another_user_and_no_device(tmp_path: Path):
    data = packed(("tool", b"x", stat.S_IFREG | 0o6777), ("device", b"x", stat.S_IFCHR | 0o666))
    assert unpacked(data, tmp_path) is None
    assert stat.S_IMODE((tmp_path / "target" / "tool").stat().st_mode) == 0o700
    assert stat.S_ISREG((tmp_path / "target" / "device").stat().st_mode)


def test_too_much(tmp_path: Path):
    zeros = b"\0" * 1_000_000
    assert unpacked(packed(("a", zeros, 0), ("b", zeros, 0)), tmp_path, most_bytes=1_500_000) is not None
    many = packed(*((f"{number}", b"", 0) for number in range(1001)))
    assert unpacked(many, tmp_path, most_files=1000) is not None


def test_a_size_that_lies(tmp_path: Path):
    """The size in the directory is small, what is packed is not."""
    data = bytearray(packed(("a", b"\0" * 10_000_000, 0)))
    for place in (data.index(b"PK\x03\x04") + 22, data.index(b"PK\x01\x02") + 24):
        data[place : place + 4] = (10).to_bytes(4, "little")
    error = unpacked(bytes(data), tmp_path, most_bytes=1000)
    assert error is not None or (tmp_path / "target" / "a").stat().st_size <= 10


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_damaged_archive_is_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    whole = bytearray(packed(("a/b", b"content" * 10, 0o644), ("c", b"b", stat.S_IFLNK | 0o777)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    unpacked(bytes(whole[: data.draw(st.integers(0, len(whole)))]), tmp_path_factory.mktemp("damaged"))


def _zstandard(content: bytes) -> bytes:
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(content)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "zst": _zstandard,
}


@pytest.mark.parametrize("ending", PACKERS)
def test_data_that_unpacks_without_end(tmp_path: Path, ending: str):
    """96 MB of nothing in little space: an end long before it is all there."""
    file = tmp_path / f"data.jsonl.{ending}"
    file.write_bytes(PACKERS[ending](bytes(96 << 20)))
    given: list[int] = []
    with local_file(file).open() as stream, pytest.raises(BrokenData, match="times its size"):
        given.extend(len(piece) for piece in iter(lambda: stream.read1(1 << 20), b""))
    assert sum(given) < 80 << 20


def test_a_run_over_such_data_says_so(project: Project):
    (project.root / "data.jsonl.xz").write_bytes(PACKERS["xz"](b" " * (96 << 20)))
    done = project.run("run", "create", "--flow", project.echo_flow(), "--data", "data.jsonl.xz", code=None)
    assert done.returncode in (1, 2), done.stderr
    assert "times its size" in done.stderr


def test_rows_that_repeat_are_no_attack(project: Project):
    rows = b'{"x": "the same again"}\n' * 200_000
    (project.root / "data.jsonl.gz").write_bytes(gzip.compress(rows))
    shown = project.json("dataset", "register", "data.jsonl.gz", "--name", "rows")
    assert shown["version"] == 1
