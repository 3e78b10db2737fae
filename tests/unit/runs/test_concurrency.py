"""The limit that ``--concurrency auto`` finds, against servers in simulated time: nothing here waits or measures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_models import Limit, Outcome, Server, run_against, spread, steady

from flowyard.runs.concurrency import AdaptiveConcurrency
from flowyard.runs.throughput import ThroughputWindow

LATENCIES = {"steady": steady(0.2), "spread": spread(0.2, 0.5)}


def converged(outcome: Outcome) -> float:
    """Lines per second in the second half, without the last few that may wait after refusals."""
    first, last = int(len(outcome.ends) * 0.5), int(len(outcome.ends) * 0.97)
    return (last - first) / (outcome.ends[last] - outcome.ends[first])


def share_of_best(server: dict, lines: int, fixed: tuple[int, ...], seed: int) -> float:
    best = max(converged(run_against(Server(**server), Limit(limit), lines, seed)) for limit in fixed)
    return converged(run_against(Server(**server), AdaptiveConcurrency(), lines, seed)) / best


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("latency", LATENCIES.values(), ids=LATENCIES)
@pytest.mark.parametrize("capacity", [8, 32, 200])
def test_finds_what_a_server_with_a_queue_can_do(capacity, latency, seed):
    server = {"latency": latency, "capacity": lambda _: capacity}
    assert share_of_best(server, capacity * 300, (capacity, capacity * 2), seed) > 0.9


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("latency", LATENCIES.values(), ids=LATENCIES)
@pytest.mark.parametrize("capacity", [32, 100])
def test_finds_what_a_server_that_refuses_can_do(capacity, latency, seed):
    server = {"latency": latency, "capacity": lambda _: capacity, "refuses": True}
    assert share_of_best(server, capacity * 300, (capacity - 2, capacity), seed) > 0.9


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_lines_that_are_told_of_late_are_not_taken_for_lines_that_wait(seed):
    def lines_per_s(limiter: AdaptiveConcurrency | Limit) -> float:
        server = Server(steady(0.2), lambda _: 32, refuses=True)
        return converged(run_against(server, limiter, 9600, seed, told_after=lambda rng: rng.uniform(0.002, 0.012)))

    assert lines_per_s(AdaptiveConcurrency()) > 0.9 * lines_per_s(Limit(32))


def test_few_calls_are_refused_once_the_limit_is_found():
    server = Server(LATENCIES["spread"], lambda _: 32, refuses=True)
    run_against(server, AdaptiveConcurrency(), 10_000)
    assert server.refused < 500


def test_calls_per_minute_are_used_up():
    server = {"latency": LATENCIES["spread"], "per_minute": 600}
    best = run_against(Server(**server), Limit(32), 2500).seconds
    assert run_against(Server(**server), AdaptiveConcurrency(), 2500).seconds < best / 0.9


def test_follows_a_server_that_gets_smaller():
    server = Server(LATENCIES["spread"], lambda now: 64 if now < 30 else 16, refuses=True)
    outcome = run_against(server, AdaptiveConcurrency(), 12_000)
    assert max(outcome.limits[-500:]) < 40 < max(outcome.limits)


def test_follows_a_server_that_gets_larger():
    outcome = run_against(
        Server(LATENCIES["spread"], lambda now: 16 if now < 30 else 64), AdaptiveConcurrency(), 24_000
    )
    late = (outcome.ends[-1] - outcome.ends[-6000]) / 6000
    assert late < 0.2 / 64 / 0.9


def test_work_that_only_computes_ends_at_a_low_limit():
    for cores in (1, 2):
        outcome = run_against(Server(steady(0.001), lambda _, cores=cores: cores), AdaptiveConcurrency(), 20_000)
        assert cores <= outcome.limits[-1] <= 8


def test_goes_up_by_doubling_while_nothing_holds_it():
    outcome = run_against(Server(steady(0.2)), AdaptiveConcurrency(highest=1024), 12_000)
    reached = next(line for line, limit in enumerate(outcome.limits) if limit == 1024)
    assert reached < 16 + 32 + 64 + 128 + 256 + 512 + 1024


def test_a_short_run_is_never_slower_than_its_start_would_be():
    fixed = run_against(Server(steady(0.2)), Limit(16), 100).seconds
    assert run_against(Server(steady(0.2)), AdaptiveConcurrency(start=16), 100).seconds <= fixed


lines_that_ended = st.lists(
    st.tuples(st.floats(0, 100, allow_nan=False), st.integers(0, 5), st.floats(0, 10, allow_nan=False)),
    max_size=300,
)


@settings(max_examples=200, deadline=None)
@given(lines_that_ended, st.integers(1, 50), st.integers(0, 500), st.integers(1, 600))
def test_the_limit_never_leaves_its_bounds(lines, lowest, width, start):
    adaptive = AdaptiveConcurrency(lowest=lowest, start=start, highest=lowest + width)
    now = 0.0
    for line, (duration, refused, step) in enumerate(lines):
        now += step
        adaptive.line_ended(duration, refused, now, adaptive.number - line % 2, line % 7)
        assert lowest <= adaptive.limit <= lowest + width
        assert isinstance(adaptive.limit, int)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.booleans(), st.floats(0.001, 2), st.integers(0, 1000))
def test_every_line_of_a_run_ends(capacity, refuses, latency, seed):
    server = Server(spread(latency, 0.7), lambda _: capacity, refuses=refuses)
    outcome = run_against(server, AdaptiveConcurrency(highest=64), 300, seed)
    assert len(outcome.ends) == 300
    assert set(outcome.limits) <= set(range(1, 65))


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no range"):
        AdaptiveConcurrency(lowest=5, highest=4)


def test_a_window_is_full_after_whole_generations():
    window = ThroughputWindow(4, 0.0, noise=0.1)
    for line in range(8):
        assert not window.is_full or line == 4
        window.line_ended(1.0, 0, 1.0 + line // 4, earlier=False, earlier_left=0)
    assert window.is_full
    assert window.throughput == 4


def test_lines_in_flight_at_a_change_are_told_from_later_ones():
    window = ThroughputWindow(2, 10.0, settle=2, noise=0.1)
    window.line_ended(5.0, 1, 11.0, earlier=True, earlier_left=2)
    window.line_ended(5.0, 0, 11.0, earlier=True, earlier_left=1)
    window.line_ended(0.5, 1, 11.0, earlier=False, earlier_left=1)
    assert (window.earlier_left, window.earlier_refused, window.refused) == (1, 1, 1)
    assert window.lines == 1
