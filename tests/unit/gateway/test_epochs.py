"""Epochs outlive what may happen to their file, and a gateway goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.errors import StoreError
from flowyard.gateway.epochs import EpochFile
from flowyard.gateway.mirror import Budget
from flowyard.gateway.weights import first_epoch

FILE_WEIGHTS = {"a": 90.0, "b": 10.0}


def begun(path: Path, *, epochs: int = 3) -> EpochFile:
    file = EpochFile(path)
    epoch = first_epoch(file, FILE_WEIGHTS)
    for number in range(1, epochs):
        epoch = type(epoch).after(epoch, {"a": 90.0 - number, "b": 10.0 + number}, reason=f"step {number}")
        file.append(epoch)
    return file


def test_a_gateway_goes_on_with_the_last_epoch(tmp_path: Path):
    begun(tmp_path / "epochs.jsonl")
    epoch = first_epoch(EpochFile(tmp_path / "epochs.jsonl"), FILE_WEIGHTS)
    assert (epoch.number, epoch.weights, epoch.reason) == (3, {"a": 88.0, "b": 12.0}, "step 2")


def test_a_file_that_a_person_changed_begins_an_epoch(tmp_path: Path):
    begun(tmp_path / "epochs.jsonl")
    epoch = first_epoch(EpochFile(tmp_path / "epochs.jsonl"), {"a": 50.0, "c": 50.0})
    assert (epoch.number, epoch.weights) == (4, {"a": 50.0, "c": 50.0})
    assert set(epoch.line.arms) == {"a", "c"}
    assert first_epoch(EpochFile(tmp_path / "epochs.jsonl"), {"a": 50.0, "c": 50.0}).number == 4


def test_an_epoch_that_was_torn_never_held(tmp_path: Path):
    path = tmp_path / "epochs.jsonl"
    begun(path)
    whole = path.read_bytes()
    second = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for end in range(second, len(whole)):
        path.write_bytes(whole[:end])
        file = EpochFile(path)
        epoch = file.open()
        assert epoch is not None
        assert epoch.number == 2
        file.append(type(epoch).after(epoch, {"a": 1.0, "b": 1.0}, reason=""))
        assert [each["epoch"] for each in file.views(10)] == [1, 2, 3]


@pytest.mark.parametrize("damage", [b'{"epoch": 3}\n', b"nonsense\n", b'{"epoch": 9, "slots": []}\n', b"\xff\n"])
def test_a_damaged_epoch_is_said(tmp_path: Path, damage: bytes):
    path = tmp_path / "epochs.jsonl"
    begun(path, epochs=2)
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(StoreError, match="line 3"):
        EpochFile(path).open()


def test_a_budget_is_spent_within_an_hour_and_comes_back():
    budget = Budget(3)
    assert [budget.spend(now) for now in (0, 10, 3500, 3590)] == [True, True, True, False]
    assert not budget.spend(3600), "the first minute is not over an hour ago yet"
    assert [budget.spend(3661) for _ in range(3)] == [True, True, False]
