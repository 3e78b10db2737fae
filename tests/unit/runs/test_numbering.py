from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import MappingError
from flowyard.records import ErrorRecord
from flowyard.runs.dataset import Row
from flowyard.runs.numbering import by_own_number

BROKEN = ErrorRecord("RowUnreadable", "broken")


def row(position: int, number: Any) -> Row:
    return Row(position, {}, BROKEN) if number is None else Row(position, {"line_number": number, "p": position})


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**30), unique=True, max_size=60), st.integers(1, 20))
def test_rows_come_in_the_order_of_their_numbers(numbers: list[int], in_memory: int) -> None:
    rows = [row(position, number) for position, number in enumerate(numbers)]
    found = list(by_own_number(rows, in_memory))
    assert [(each.number, each.values["p"]) for each in found] == sorted((n, p) for p, n in enumerate(numbers))


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 30), max_size=40, unique_by=lambda n: object() if n is None else n))
def test_unreadable_rows_never_take_the_number_of_another(numbers: list[int | None]) -> None:
    found = list(by_own_number([row(position, number) for position, number in enumerate(numbers)], 3))
    assert len(found) == len(numbers)
    assert len({each.number for each in found}) == len(numbers)
    assert [each.number for each in found] == sorted(each.number for each in found)
    assert {each.number for each in found if not each.error} == {number for number in numbers if number is not None}
    free = {position for position, number in enumerate(numbers) if number is None} - set(numbers)
    assert free <= {each.number for each in found if each.error}


@pytest.mark.parametrize("in_memory", [1, 100])
@pytest.mark.parametrize("later", [3, "3", "x", -1.0, True, [1]])
def test_numbers_that_are_not_usable_are_said_before_any_row(in_memory: int, later: Any) -> None:
    rows = [row(position, number) for position, number in enumerate([*range(10), later])]
    with pytest.raises(MappingError, match="row 10 has the line_number"):
        by_own_number(rows, in_memory)
