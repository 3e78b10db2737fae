from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.records import Usage
from flowyard.runs.budget import Budget
from flowyard.runs.cost_text import cost_text, usd_text


@given(st.lists(st.integers(0, 100)), st.integers(1, 1000))
def test_tokens_are_counted_until_the_budget_is_reached(spent: list[int], most: int) -> None:
    budget, total = Budget(max_tokens=most), 0
    for tokens in spent:
        budget.spent(Usage(1, tokens))
        total += tokens
        assert budget.is_over == (total >= most)
        assert (budget.reason is None) == (total < most)


def test_dollars_are_counted() -> None:
    budget = Budget(max_cost_usd=1.5)
    budget.spent(Usage(1, cost_usd=1.4999))
    assert not budget.is_over
    budget.spent(Usage(1, cost_usd=0.0001))
    assert budget.reason == "The budget of $1.5 is used up: $1.5000 spent."
    assert budget.notes(stopped=True) == (budget.reason,)
    assert budget.notes(stopped=False) == ()


def test_without_limits_nothing_is_ever_over() -> None:
    budget = Budget()
    budget.spent(Usage(10**9, 10**12, cost_usd=10**9, unpriced_calls=5))
    assert (budget.is_limited, budget.is_over, budget.notes(stopped=True)) == (False, False, ())


def test_calls_without_a_price_are_warned_of() -> None:
    budget = Budget(max_cost_usd=1)
    budget.spent(Usage(2, unpriced_calls=2))
    assert budget.warning is not None
    assert "stops nothing" in budget.warning
    budget.spent(Usage(1, cost_usd=0.1))
    assert budget.warning.startswith("2 model calls have no known price")
    assert Budget(max_tokens=1).warning is None


@pytest.mark.parametrize("limits", [(0, None), (-1, None), (float("nan"), None), (float("inf"), None), (None, 0)])
def test_a_limit_is_above_zero(limits: tuple[float | None, int | None]) -> None:
    with pytest.raises(UserError, match="--max-"):
        Budget(*limits)


def test_money_in_words() -> None:
    assert [usd_text(cost) for cost in (0, 0.0000421, 0.01234, 1234.5)] == [
        "$0.00",
        "$0.000042",
        "$0.0123",
        "$1,234.50",
    ]
    assert cost_text(Usage(5)) is None
    assert cost_text(Usage(5, unpriced_calls=1)) == "1 call without a known price"
    assert cost_text(Usage(5, cost_usd=2, saved_usd=1)) == "$2.00, $1.00 saved"
