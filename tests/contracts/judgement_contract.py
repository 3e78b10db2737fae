"""What every store of production records must do with judgements; a test module of a database subclasses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from production_contract import DAY, START, Address, exchange, exposure, feedback, write_records

from flowyard.ab.evidence.model import Split
from flowyard.ab.evidence.store import CollectedEvidence
from flowyard.ab.policy.model import AbPolicy, PrimaryMetric
from flowyard.production.datasets.lines import iter_dataset_lines
from flowyard.production.exchanges.chosen import with_filters
from flowyard.production.exchanges.experiment_records import iter_experiment_records
from flowyard.production.exchanges.lines import ExchangeFilter, JoinedExchange, iter_exchanges
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.scores import judge_moments
from flowyard.production.judging.store import (
    JudgedMark,
    Spent,
    add_judgements,
    find_judgements,
    judged_marks,
    mark_drawn,
    spent_since,
)
from flowyard.production.records.instants import milliseconds
from flowyard.production.store.collect import collect
from flowyard.production.store.forget import count_unit, forget_unit, units_of_request
from flowyard.production.store.store import ProductionStore
from flowyard.records import ErrorRecord, LineResult, Usage
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

__all__ = ["JudgementContract"]

FLOW = ExchangeFilter("triage", DAY)


def no_drift(_wanted: ExchangeFilter, _reference: str) -> frozenset[str]:
    return frozenset()


def judgement(each: JoinedExchange, outputs: dict[str, Any] | None, **changes: Any) -> Judgement:
    """By the evaluator ``quality``; without outputs one that failed."""
    about = each.exchange
    line = LineResult(
        0,
        "completed" if outputs is not None else "failed",
        {"answer": about.outputs["answer"]},
        outputs or {},
        error=None if outputs is not None else ErrorRecord("ValueError", "no"),
        usage=Usage(calls=2, cost_usd=0.25, simulated_calls=1),
    )
    given: dict[str, Any] = {
        "exchange": about.id,
        "at_ms": milliseconds(about.at),
        "flow": about.flow,
        "version": about.version,
        "request_id": about.request_id,
        "evaluator": "quality",
        "digest": "1",
        "judged_at": START + timedelta(hours=1),
        "is_drawn": True,
        "line": line,
    }
    return Judgement(**{**given, **changes})


class JudgementContract:
    @pytest.fixture
    def store(self, address: Address, tmp_path: Path) -> ProductionStore:
        """With ten exchanges, which a gateway gave to the units 0 to 4."""
        store = ProductionStore(Tables(open_database(*address)))
        records = [exchange(number) for number in range(10)]
        records += [exposure(number, unit=f"unit-{number % 5}", arm="ab"[number % 2]) for number in range(10)]
        write_records(tmp_path / "records" / "a.jsonl", [*records, feedback(2, {"thumbs": "down"})])
        collect(store, [tmp_path / "records"])
        return store

    def test_an_exchange_is_judged_once(self, store: ProductionStore):
        first, second, *_ = iter_exchanges(store, FLOW)
        assert list(find_judgements(store, [first.exchange.id])) == []
        given = judgement(first, {"score": 4, "why": "\ud800 \0 \\u0000", "deep": {"is_safe": True}})
        assert add_judgements(store, [given, judgement(second, {"score": 1})]) == 2
        other = judgement(first, {"score": 1}, judged_at=START + timedelta(hours=2))
        assert add_judgements(store, [other, replace(other, digest="2")]) == 1  # by another version of the evaluator
        (found, _) = sorted(find_judgements(store, [first.exchange.id]), key=lambda each: each.digest)
        assert found == given
        assert (dict(found.scores), found.is_simulated) == ({"score": 4.0, "deep.is_safe": 1.0}, True)
        marks = judged_marks(store, "triage", DAY)
        assert marks["quality", "2"] == {first.exchange.id: JudgedMark(is_failed=False, attempts=1, is_drawn=True)}
        assert len(marks["quality", "1"]) == 2
        assert spent_since(store, "triage", START) == Spent(6, 0.75)
        assert spent_since(store, "triage", START + timedelta(hours=2)) == Spent(2, 0.25)
        assert spent_since(store, "another", START) == Spent(0, 0.0)

    def test_what_failed_is_tried_again(self, store: ProductionStore):
        first, *_ = iter_exchanges(store, FLOW)
        failed = judgement(first, None)
        assert [add_judgements(store, [failed]) for _ in range(2)] == [1, 0]  # the same one, taken over twice
        later = judgement(first, None, judged_at=failed.judged_at + timedelta(seconds=1))
        assert add_judgements(store, [later]) == 1
        assert judged_marks(store, "triage", DAY)["quality", "1"][first.exchange.id].attempts == 2
        good = judgement(first, {"score": 5}, judged_at=failed.judged_at + timedelta(seconds=2))
        assert add_judgements(store, [good]) == 1
        assert [each.scores for each in find_judgements(store, [first.exchange.id])] == [{"score": 5.0}]
        assert spent_since(store, "triage", START) == Spent(6, 0.75)

    def test_experiments_see_what_the_rate_drew(self, store: ProductionStore):
        found = list(iter_exchanges(store, FLOW))
        add_judgements(store, [judgement(each, {"score": 1}) for each in found[:4]])
        add_judgements(store, [judgement(found[4], {"score": 2}, is_drawn=False), judgement(found[5], None)])
        safe = {"evaluator": "safe", "judged_at": START + timedelta(hours=3)}
        add_judgements(store, [judgement(each, {"ok": True}, **safe) for each in found[:1]])
        assert self.judged(store) == {0: {"quality", "safe"}, 1: {"quality"}, 2: {"quality"}, 3: {"quality"}}
        mark_drawn(store, [found[4].exchange.id])
        assert set(self.judged(store)) == {0, 1, 2, 3, 4}
        newer = judgement(found[7], {"score": 3}, digest="2", judged_at=START + timedelta(hours=4))
        add_judgements(store, [newer])  # scores of two versions are not mixed
        assert self.judged(store) == {0: {"safe"}, 7: {"quality"}}

    @staticmethod
    def judged(store: ProductionStore) -> dict[int, set[str]]:
        records = list(iter_experiment_records(store, "answers", START))
        numbers = {each["request_id"]: int(each["trace_id"], 16) - 1 for each in records if each["kind"] == "exposure"}
        return {numbers[each["request_id"]]: set(each["by"]) for each in records if each["kind"] == "judgement"}

    def test_exchanges_are_found_by_what_was_judged(self, store: ProductionStore):
        found = list(iter_exchanges(store, FLOW))
        for number, each in enumerate(found):
            add_judgements(store, [judgement(each, {"score": number, "fluency": 5})])
        assert self.numbers(store, "low-judgement:quality.score:3") == [0, 1, 2]
        assert self.numbers(store, "low-judgement:quality:3") == [0, 1, 2]
        assert self.numbers(store, "low-judgement:quality.fluency:3") == []
        assert self.numbers(store, "low-judgement:quality.score:3", "thumbs-down") == [2]
        assert self.numbers(store, "low-judgement:quality.score:1 or thumbs-down") == [0, 2]
        assert self.numbers(store, "failed or low-judgement:quality.score:4 and thumbs-down") == [2]
        assert self.numbers(store, "failed or slow:0.1", "low-judgement:quality.score:2") == [0, 1]
        assert self.numbers(store, "low-judgement:quality.score:9 and low-judgement:quality.score:2") == [0, 1]
        lines = list(iter_dataset_lines(store, with_filters(store, FLOW, ["thumbs-down"], no_drift), "x"))
        assert [line["judgements"] for line in lines] == [{"quality": {"score": 2, "fluency": 5}}]

    @staticmethod
    def numbers(store: ProductionStore, *words: str) -> list[int]:
        found = iter_exchanges(store, with_filters(store, FLOW, words, no_drift))
        return [int(each.exchange.trace_id, 16) - 1 for each in found]

    def test_judgements_go_with_their_exchanges(self, store: ProductionStore):
        add_judgements(store, [judgement(each, {"score": 1}) for each in iter_exchanges(store, FLOW)])
        until = START + timedelta(seconds=4)
        assert store.count_before(until)["judgements"] == store.delete_before(until)["judgements"] == 4
        assert sum(map(len, judged_marks(store, "triage", DAY).values())) == 6

    def test_a_unit_is_forgotten(self, store: ProductionStore):
        add_judgements(store, [judgement(each, {"score": 1}) for each in iter_exchanges(store, FLOW)])
        assert units_of_request(store, "request-7") == ["unit-2"]
        counts = {"judgements": 2, "feedback": 1, "exchanges": 2, "exposures": 2}
        assert count_unit(store, "unit-2") == forget_unit(store, "unit-2") == counts
        assert set(count_unit(store, "unit-2").values()) == {0}
        left = [int(each.exchange.trace_id, 16) - 1 for each in iter_exchanges(store, FLOW)]
        assert left == [0, 1, 3, 4, 5, 6, 8, 9]
        assert len(self.judged(store)) == 8

    def test_a_test_in_production_counts_what_judges_said(self, store: ProductionStore):
        found = list(iter_exchanges(store, FLOW))
        add_judgements(store, [judgement(each, {"score": number}) for number, each in enumerate(found) if number < 5])
        primary = PrimaryMetric("judge", "judgement.quality.score", at_least=3)
        rules = AbPolicy("answers", "a", "b", primary, "answers", unit="request")
        split = Split(1, START, {"a": 50, "b": 50})
        control, treatment = CollectedEvidence(store).read(rules, START, [split]).total()
        assert (control.requests, control.successes, control.failures) == (5, 1, 2)
        assert (treatment.requests, treatment.successes, treatment.failures) == (5, 1, 1)

    def test_scores_are_summed_by_version(self, store: ProductionStore):
        found = list(iter_exchanges(store, FLOW))
        versions = {"version": "2", "is_drawn": True}
        add_judgements(store, [judgement(found[0], {"score": 3}), judgement(found[1], {"score": 4}, **versions)])
        add_judgements(store, [judgement(found[2], {"score": 2}), judgement(found[3], {"score": "none"})])
        add_judgements(store, [judgement(found[4], {"score": 9}, is_drawn=False), judgement(found[5], None)])
        scores = judge_moments(store, "triage", DAY, "version")
        assert {group: (each.n, each.mean) for group, each in scores["quality.score"].items()} == {
            "1": (2, 2.5),
            "2": (1, 4.0),
        }
        by_arm = judge_moments(store, "answers", DAY, "arm")
        assert {group: (each.n, each.mean) for group, each in by_arm["quality.score"].items()} == {
            "a": (2, 2.5),
            "b": (1, 4.0),
        }
