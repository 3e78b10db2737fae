"""Contents by digest, in a folder and in storage that fsspec reaches."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
import pytest

from flowyard.errors import Conflict, OutsideError, StoreError, UserError
from flowyard.registry import TreeFile
from flowyard.registry.blobs import Blobs, LocalBlobs
from flowyard.registry.blobs_fsspec import FsspecBlobs


@pytest.fixture(params=["folder", "memory", "file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return LocalBlobs(tmp_path / "kept")
    return FsspecBlobs(f"memory://{tmp_path.name}" if request.param == "memory" else (tmp_path / "kept").as_uri())


def content(path: Path, data: bytes) -> TreeFile:
    path.write_bytes(data)
    return TreeFile(path.name, len(data), hashlib.sha256(data).hexdigest())


def names_below(blobs: Blobs, tmp_path: Path) -> list[str]:
    """The names of the files that are kept, and of what is half written."""
    if "memory" in blobs.label:
        return sorted(path.rpartition("/")[2] for path in fsspec.filesystem("memory").find(tmp_path.name))
    return sorted(path.name for path in (tmp_path / "kept").rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 9 << 20])
def test_what_is_put_is_got(blobs: Blobs, tmp_path: Path, size: int):
    data = os.urandom(size)
    file = content(tmp_path / "a", data)
    assert not blobs.has(file)
    blobs.put_all([file, file], [tmp_path / "a", tmp_path / "a"])
    assert blobs.has(file)
    blobs.put(file, tmp_path / "a")
    blobs.get(file, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o444
    assert names_below(blobs, tmp_path) == [file.digest]


def test_other_bytes_than_were_said_are_not_kept(blobs: Blobs, tmp_path: Path):
    file = content(tmp_path / "a", b"one")
    for other in (b"two", b"longer", b""):
        (tmp_path / "a").write_bytes(other)
        with pytest.raises(Conflict, match="changed while it was read"):
            blobs.put(file, tmp_path / "a")
    assert not blobs.has(file)
    assert names_below(blobs, tmp_path) == []


def test_what_is_missing_is_told(blobs: Blobs, tmp_path: Path):
    file = content(tmp_path / "a", b"one")
    with pytest.raises(StoreError, match="is missing"):
        blobs.get(file, tmp_path / "b")
    (tmp_path / "a").unlink()
    with pytest.raises(OutsideError):
        blobs.put(file, tmp_path / "a")


def test_half_of_a_content_is_not_there_and_is_put_again(tmp_path: Path):
    file = content(tmp_path / "a", b"one two")
    blobs = LocalBlobs(tmp_path / "kept")
    blobs.put(file, tmp_path / "a")
    kept = tmp_path / "kept" / "blobs" / file.digest
    kept.chmod(0o644)
    kept.write_bytes(b"one")
    assert not blobs.has(file)
    blobs.put_all([file], [tmp_path / "a"])
    blobs.get(file, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"one two"


def test_what_a_killed_process_left_long_ago_is_cleared(tmp_path: Path):
    incoming = tmp_path / "kept" / "incoming"
    incoming.mkdir(parents=True)
    for name, age_s in (("old", 10**6), ("new", 0)):
        (incoming / name).write_bytes(b"half")
        if age_s:
            os.utime(incoming / name, (10**6, 10**6))
    LocalBlobs(tmp_path / "kept").put_all([content(tmp_path / "a", b"one")], [tmp_path / "a"])
    assert [path.name for path in incoming.iterdir()] == ["new"]


def test_a_place_that_cannot_be_used(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    file = content(tmp_path / "a", b"one")
    for blobs in (LocalBlobs(tmp_path / "file"), FsspecBlobs((tmp_path / "file").as_uri())):
        with pytest.raises(OutsideError) as told:
            blobs.put_all([file], [tmp_path / "a"])
        assert not isinstance(told.value, StoreError)
    with pytest.raises(UserError, match="may hold a secret"):
        FsspecBlobs("s3://bucket/x?key=geheim")
