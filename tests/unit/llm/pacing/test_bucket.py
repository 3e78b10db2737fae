"""A limit holds in every minute, whenever calls come, and wastes little of what is allowed."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.llm.pacing import RateLimit
from flowyard.llm.pacing.bucket import Bucket, request_bucket, token_bucket

WAITS = st.lists(st.one_of(st.just(0.0), st.floats(0, 90)), min_size=1, max_size=300)


def taken(bucket: Bucket, arrivals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """When each amount was let through, if the next one comes after a wait of its own."""
    full_at, now = 0.0, 1000.0
    through = []
    for pause, amount in arrivals:
        now += pause
        while (wait := bucket.wait_s(full_at, now, amount)) > 0:
            now += wait
        full_at = bucket.taken(full_at, now, amount)
        through.append((now, amount))
    return through


def most_in_a_minute(through: list[tuple[float, float]]) -> float:
    times = [time for time, _ in through]
    starts = range(len(times))
    return max(sum(amount for _, amount in through[i : bisect_left(times, times[i] + 60 - 1e-6)]) for i in starts)


@given(st.integers(1, 200), WAITS)
def test_no_minute_has_more_requests_than_allowed(rpm: int, waits: list[float]) -> None:
    bucket = request_bucket(RateLimit(rpm=rpm))
    assert bucket is not None
    assert most_in_a_minute(taken(bucket, [(wait, 1.0) for wait in waits])) <= rpm


@given(st.integers(100, 10_000), st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 1)), min_size=1, max_size=300))
def test_no_minute_has_more_tokens_than_allowed(tpm: int, calls: list[tuple[float, float]]) -> None:
    bucket = token_bucket(RateLimit(tpm=tpm))
    assert bucket is not None
    through = taken(bucket, [(wait, share * bucket.capacity) for wait, share in calls])
    assert most_in_a_minute(through) <= tpm * (1 + 1e-6)


@given(st.integers(100, 10_000), st.lists(st.floats(0.001, 3), min_size=1, max_size=100))
def test_a_call_larger_than_the_bucket_is_the_most_that_a_minute_has_too_much(tpm: int, shares: list[float]) -> None:
    bucket = token_bucket(RateLimit(tpm=tpm))
    assert bucket is not None
    amounts = [share * tpm for share in shares]
    through = taken(bucket, [(0.0, amount) for amount in amounts])
    assert most_in_a_minute(through) <= tpm + max(amounts)


@pytest.mark.parametrize("rpm", [1, 7, 60, 600, 100_000])
def test_the_limit_is_nearly_used_up(rpm: int) -> None:
    bucket = request_bucket(RateLimit(rpm=rpm))
    assert bucket is not None
    calls = min(5 * rpm, 3000)
    through = taken(bucket, [(0.0, 1.0)] * calls)
    assert through[-1][0] - 1000.0 <= 1.03 * calls / rpm * 60


def test_no_limit_is_no_bucket() -> None:
    assert request_bucket(RateLimit(tpm=1)) is token_bucket(RateLimit(rpm=1)) is None


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = Bucket(capacity=10, per_s=1)
    full_at = bucket.taken(0.0, 100.0, 10)
    assert bucket.wait_s(full_at, 100.0, 4) == 4
    assert bucket.wait_s(full_at - 4 / bucket.per_s, 100.0, 4) == 0
