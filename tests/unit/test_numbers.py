"""How shares are written: one way everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import flowyard
from flowyard._util.numbers import percent_text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.95, 0, "95 %"), (0.975, 2, "97.5 %"), (1, 1, "100 %"), (0, 0, "0 %"), (2 / 3, 0, "67 %"), (0.0204, 1, "2 %")],
)
def test_a_share_is_written_with_a_space_and_without_digits_that_say_nothing(share: float, digits: int, text: str):
    assert percent_text(share, digits) == text


def test_nothing_writes_percents_in_another_way():
    package = Path(flowyard.__file__).parent
    other = re.compile(r":\.[0-9]%\}|\{:\.[0-9]%")
    files = [file for kind in ("*.py", "*.j2") for file in package.rglob(kind)]
    assert [file.name for file in files if other.search(file.read_text("utf-8"))] == []
