"""What every store of production records must do; a test module of a database subclasses ``ProductionContract``."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowyard.production.exchanges.arms import METRICS, arm_sums
from flowyard.production.exchanges.experiment_records import iter_experiment_records
from flowyard.production.exchanges.lines import ExchangeFilter, iter_exchanges
from flowyard.production.exchanges.series import Window, series
from flowyard.production.store.collect import collect
from flowyard.production.store.store import ProductionStore
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

__all__ = ["ProductionContract", "exchange", "exposure", "feedback", "write_records"]

Address = tuple[Path, str | None]

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
DAY = Window(START, START + timedelta(days=1))

COLLECTOR = """\
import json, sys
from pathlib import Path
from flowyard.production.store.collect import collect
from flowyard.production.store.store import ProductionStore
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

home, url, folder = json.loads(sys.argv[1])
store = ProductionStore(Tables(open_database(Path(home), url)))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(collect(store, [Path(folder)]).new), flush=True)
"""


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def exchange(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "kind": "exchange",
        "at": at(number),
        "request_id": f"request-{number}",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "flow": "triage",
        "version": "1",
        "route": "/score",
        "status": 200,
        "latency_s": 0.25,
        "first_piece_s": None,
        "models": ["small"],
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "model_calls": 1,
        "cost_usd": 0.5,
        "unpriced_calls": 0,
        "error": None,
        "inputs": {"question": f"What is {number}?"},
        "outputs": {"answer": f"It is {number}."},
    }
    return {**record, **changes}


def feedback(number: int, said: Any, **changes: Any) -> dict[str, Any]:
    """Feedback on the exchange of that number, as its own request that names the answer's span."""
    record = {
        "kind": "feedback",
        "at": at(number + 0.5),
        "request_id": f"feedback-{number}",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "flow": "triage",
        "version": "1",
        "feedback": said,
        "baggage": {},
    }
    return {**record, **changes}


def exposure(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "kind": "exposure",
        "at": at(number),
        "request_id": f"request-{number}",
        "trace_id": f"{number + 1:032x}",
        "experiment": "answers",
        "unit": f"unit-{number}",
        "arm": "a",
        "version": "1",
        "epoch": 1,
        "status": 200,
        "latency_s": 0.5,
        "first_piece_s": None,
        "mirror": False,
    }
    return {**record, **changes}


def write_records(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return path


class ProductionContract:
    @pytest.fixture
    def store(self, address: Address) -> ProductionStore:
        return ProductionStore(Tables(open_database(*address)))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "records"
        folder.mkdir()
        return folder

    def test_there_is_nothing_before_anything_was_collected(self, store: ProductionStore):
        assert not series(store, "triage", DAY)
        assert not list(iter_exchanges(store, ExchangeFilter("triage", DAY)))
        assert not arm_sums(store, "answers", "success")
        assert (list(store.flows()), list(store.experiments())) == ([], [])
        assert set(store.count_before(START).values()) == {0}

    def test_each_record_is_stored_once(self, store: ProductionStore, folder: Path):
        path = write_records(folder / "a.jsonl", [exchange(0), feedback(0, {"thumbs": "up"}), exposure(0)])
        first = collect(store, [folder])
        assert (first.new, first.exchanges, first.feedback, first.exposures, first.broken) == (3, 1, 1, 1, 0)
        assert (collect(store, [folder]).new, collect(store, [folder]).bytes) == (0, 0)
        path.rename(folder / "a.jsonl.1")  # rotated
        write_records(folder / "a.jsonl", [exchange(1)])
        assert collect(store, [folder]).new == 1
        (folder / "copy.jsonl").write_bytes((folder / "a.jsonl").read_bytes() + (folder / "a.jsonl.1").read_bytes())
        assert collect(store, [folder]).new == 0
        assert len(list(iter_exchanges(store, ExchangeFilter("triage", DAY)))) == 2

    def test_a_torn_last_line_is_left_for_the_next_time(self, store: ProductionStore, folder: Path):
        path = write_records(folder / "a.jsonl", [exchange(0)])
        line = json.dumps(exchange(1, inputs={"question": "ä"}), ensure_ascii=False).encode() + b"\n"
        collected = 0
        for cut in range(1, len(line), 7):  # in the middle of a letter, too
            with path.open("ab") as file:
                file.write(line[max(cut - 7, 0) : cut])
            found = collect(store, [folder])
            collected += found.new
            assert (collected, found.broken) == (1, 0)
        with path.open("ab") as file:
            file.write(line[cut:])
        assert collect(store, [folder]).new == 1

    def test_a_file_that_is_begun_anew_is_read_anew(self, store: ProductionStore, folder: Path):
        path = write_records(folder / "a.jsonl", [exchange(0), exchange(1)])
        collect(store, [folder])
        path.unlink()
        write_records(path, [exchange(0), exchange(2, version="another"), exchange(3)])
        assert collect(store, [folder]).new == 2

    def test_two_who_collect_at_once_store_each_record_once(
        self, store: ProductionStore, address: Address, folder: Path
    ):
        for number in range(3):
            some = range(number * 100, number * 100 + 100)
            write_records(folder / f"{number}.jsonl", [kind(each) for each in some for kind in (exchange, exposure)])
        given = json.dumps([str(address[0]), address[1], str(folder)])
        collectors = [
            subprocess.Popen(
                [sys.executable, "-c", COLLECTOR, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for each in collectors:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in collectors:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        told = [each.communicate(timeout=60)[0] for each in collectors]
        assert sum(int(text) for text in told) == 600
        assert collect(store, [folder]).new == 0
        assert sum(point.requests for point in series(store, "triage", DAY)) == 300

    def test_feedback_finds_its_exchange_by_span_then_trace_then_request(self, store: ProductionStore, folder: Path):
        trace = "c" * 32  # a conversation: one trace, three answers
        records = [
            *(exchange(number, trace_id=trace) for number in (1, 2, 3)),
            feedback(2, {"thumbs": "up", "comment": "span"}, trace_id=trace),
            feedback(2, {"thumbs": "up", "comment": "trace"}, trace_id=trace, span_id="f" * 16, at=at(3.5)),
            exchange(10),
            feedback(10, {"thumbs": "down", "comment": "request"}, trace_id="e" * 32, request_id="request-10"),
            feedback(99, {"thumbs": "down", "comment": "of nothing"}),
        ]
        write_records(folder / "a.jsonl", list(reversed(records)))  # in whatever order
        collect(store, [folder])
        found = {each.exchange.request_id: each for each in iter_exchanges(store, ExchangeFilter("triage", DAY))}
        said = {name: [each.feedback["comment"] for each in joined.feedback] for name, joined in found.items()}
        assert said == {"request-1": [], "request-2": ["span"], "request-3": ["trace"], "request-10": ["request"]}
        point = series(store, "triage", DAY)[0]
        assert (point.positive, point.negative) == (2, 1)

    def test_the_last_feedback_that_says_yes_or_no_counts(self, store: ProductionStore, folder: Path):
        said = [{"thumbs": "up"}, {"thumbs": "down"}, {"comment": "changed my mind"}]
        records = [feedback(0, each, at=at(number)) for number, each in enumerate(said)]
        write_records(folder / "a.jsonl", [exchange(0), *records])
        collect(store, [folder])
        point = series(store, "triage", DAY)[0]
        assert (point.positive, point.negative, point.feedback_share) == (0, 1, 0.0)
        wanted = ExchangeFilter("triage", DAY, positive=False)
        assert [len(each.feedback) for each in iter_exchanges(store, wanted)] == [3]
        assert not list(iter_exchanges(store, ExchangeFilter("triage", DAY, positive=True)))

    def test_series_are_those_of_a_plain_count(self, store: ProductionStore, folder: Path):
        numbers = random.Random(3)
        records = [
            exchange(
                numbers.randrange(7200),
                version=str(numbers.randrange(2)),
                status=numbers.choice([200, 200, 400, 404, 500]),
                latency_s=numbers.randrange(1000) / 1000,
                request_id=f"r{number}",
            )
            for number in range(400)
        ]
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])
        found = series(store, "triage", Window(START, START + timedelta(hours=1)), step=timedelta(minutes=10))
        plain: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for record in records:
            seconds = (datetime.fromisoformat(record["at"]) - START).total_seconds()
            if seconds < 3600:
                plain.setdefault((record["version"], int(seconds // 600)), []).append(record)
        assert [(each.group, int((each.start - START).total_seconds() // 600)) for each in found] == sorted(plain)
        for point, key in zip(found, sorted(plain), strict=True):
            latencies = sorted(record["latency_s"] for record in plain[key])
            assert point.requests == len(latencies)
            assert point.failed == sum(record["status"] in (400, 500) for record in plain[key])
            for share, percentile in ((50, point.latency_p50_s), (95, point.latency_p95_s), (99, point.latency_p99_s)):
                assert percentile == latencies[-(-len(latencies) * share // 100) - 1]
            assert (point.prompt_tokens, point.cost_usd) == (10 * len(latencies), 0.5 * len(latencies))

    def test_arms_are_those_of_a_plain_count(self, store: ProductionStore, folder: Path):
        numbers = random.Random(5)
        records: list[dict[str, Any]] = []
        for number in range(200):
            arm = numbers.choice("ab")
            facts = {"version": arm, "status": numbers.choice([200, 200, 500])}
            epoch, unit = 1 + number // 100, f"unit-{numbers.randrange(30)}"
            records.append(exposure(number, arm=arm, epoch=epoch, unit=unit, **facts))
            records.append(exchange(number, prompt_tokens=number, **facts))
            if numbers.random() < 0.5:
                records.append(feedback(number, {"thumbs": numbers.choice(["up", "down"])}))
            if number % 10 == 0:  # mirrored to the other arm: same request, same trace, another span
                other = "b" if arm == "a" else "a"
                records.append(exposure(number, arm=other, version=other, epoch=epoch, unit=unit, mirror=True))
                records.append(exchange(number, version=other, span_id="d" * 16, prompt_tokens=10_000))
        numbers.shuffle(records)
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])
        seen = [each for each in records if each["kind"] == "exposure" and not each["mirror"]]
        verdicts = {
            each["trace_id"]: each["feedback"]["thumbs"] == "up" for each in records if each["kind"] == "feedback"
        }
        for metric in METRICS:
            found = arm_sums(store, "answers", metric)
            assert Counter({(each.epoch, each.arm): each.requests for each in found}) == Counter(
                (each["epoch"], each["arm"]) for each in seen
            )
            for each in found:
                values: dict[str, list[float]] = {}
                for record in seen:
                    if (record["epoch"], record["arm"]) == (each.epoch, each.arm):
                        value = _value(metric, record, verdicts)
                        values.setdefault(record["unit"], []).extend([] if value is None else [value])
                flat = [value for some in values.values() for value in some]
                assert (each.units, each.values) == (len(values), len(flat))
                assert each.valued_units == sum(bool(some) for some in values.values())
                assert each.total == pytest.approx(sum(flat))
                assert each.squares == pytest.approx(sum(value**2 for value in flat))
                assert each.unit_total_squares == pytest.approx(sum(sum(some) ** 2 for some in values.values()))
                assert each.unit_count_squares == sum(len(some) ** 2 for some in values.values())
                assert each.unit_products == pytest.approx(sum(len(some) * sum(some) for some in values.values()))
                if metric in ("success", "feedback"):
                    assert (each.successes, each.failures) == (sum(flat), len(flat) - sum(flat))
        first = arm_sums(store, "answers", "feedback", first_of_unit=True)
        assert all(each.values == each.valued_units for each in first)
        assert sum(each.units for each in first) == len({each["unit"] for each in seen})
        by_arm = series(store, "answers", DAY, by="arm")
        assert {each.group: each.requests for each in by_arm} == Counter(each["arm"] for each in seen)
        assert sum(each.prompt_tokens for each in by_arm) == sum(range(200))

    def test_all_records_of_an_experiment_are_joined_by_one_id(self, store: ProductionStore, folder: Path):
        records: list[dict[str, Any]] = []
        for number in range(700):  # more than one page; callers give all of them the same id
            shared = {"request_id": "same"}
            records += [exposure(number, **shared), exchange(number, **shared), feedback(number, {"n": number})]
        records += [exposure(3, mirror=True, arm="b"), exposure(4, chosen_by="override"), exposure(5, experiment="x")]
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])
        joined: dict[str, dict[str, int]] = {}
        for record in iter_experiment_records(store, "answers", START + timedelta(seconds=100)):
            joined.setdefault(record["request_id"], {})[record["kind"]] = int(record["trace_id"], 16) - 1
        assert sorted(each["exposure"] for each in joined.values()) == list(range(100, 700))
        assert all(each["exposure"] == each["exchange"] == each["feedback"] for each in joined.values())

    def test_a_fallback_counts_where_it_was_assigned_and_a_tester_nowhere(self, store: ProductionStore, folder: Path):
        instead = {"arm": "a", "assigned": "b", "assigned_version": "2", "chosen_by": "fallback"}
        records = [exposure(0, assigned="a"), exposure(1, arm="b", version="2", assigned="b"), exposure(2, **instead)]
        records += [exposure(3, arm="b", version="2", chosen_by="override"), exposure(4, chosen_by="fallback")]
        records += [each for number in range(5) for each in (exchange(number), feedback(number, {"thumbs": "up"}))]
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])
        found = {
            point.group: (point.requests, point.failed, point.positive, point.prompt_tokens)
            for point in series(store, "answers", DAY, by="arm")
        }
        assert found == {"a": (2, 0, 2, 20), "b": (2, 1, 1, 10)}, "an old gateway does not say who was assigned"
        counts = {
            metric: [
                (each.arm, each.version, each.requests, each.values) for each in arm_sums(store, "answers", metric)
            ]
            for metric in METRICS
        }
        assert counts.pop("score") == [("a", "1", 2, 0), ("b", "2", 2, 0)]
        assert counts.pop("success") == [("a", "1", 2, 2), ("b", "2", 2, 2)]
        assert list(counts.values()) == [[("a", "1", 2, 2), ("b", "2", 2, 1)]] * 4
        told = [each for each in iter_experiment_records(store, "answers", START) if each["kind"] == "exposure"]
        assert [each.get("assigned") for each in told] == ["a", "b", "b", None]

    def test_thousands_of_one_trace_are_joined_each_to_its_own(self, store: ProductionStore, folder: Path):
        shared = {"trace_id": "c" * 32}
        records: list[dict[str, Any]] = []
        for number in range(3000):
            records += [exposure(number, **shared), exchange(number, prompt_tokens=number, **shared)]
            if number % 3 == 0:
                records.append(feedback(number, {"thumbs": "up" if number % 2 else "down", "n": number}, **shared))
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])
        for name, by in (("answers", "arm"), ("triage", "version")):
            (point,) = series(store, name, DAY, by=by)
            assert (point.requests, point.prompt_tokens) == (3000, sum(range(3000)))
            assert (point.positive, point.negative) == (500, 500)
        joined: dict[str, dict[str, Any]] = {}
        for record in iter_experiment_records(store, "answers", START):
            joined.setdefault(record["request_id"], {})[record["kind"]] = record
        assert len(joined) == 3000
        assert all(each["exposure"]["at"] == each["exchange"]["at"] for each in joined.values())
        said = [each for each in joined.values() if "feedback" in each]
        assert len(said) == 1000
        assert all(each["feedback"]["feedback"]["n"] == each["exchange"]["prompt_tokens"] for each in said)

    def test_exchanges_are_found_by_a_filter(self, store: ProductionStore, folder: Path):
        records = [exchange(number, request_id=str(number)) for number in range(1200)]  # more than one page
        records[3].update(status=500)
        records[4].update(status=499)
        records[5].update(latency_s=3.0)
        records[6].update(version="2")
        records[7].update(flow="another")
        records[8].update(at=at(90_000))  # after the window
        records += [feedback(9, {"thumbs": "down"}), feedback(10, {"score": 0.2}), feedback(11, {"score": 0.9})]
        records += [exposure(12, request_id="12", arm="b")]
        write_records(folder / "a.jsonl", records)
        collect(store, [folder])

        def found(**wanted: Any) -> list[int]:
            joined = iter_exchanges(store, ExchangeFilter("triage", DAY, **wanted))
            return [int(each.exchange.request_id) for each in joined]

        everything = [number for number in range(1200) if number not in (7, 8)]
        assert found() == everything
        assert (found(failed=True), found(slower_than_s=1.0), found(version="2")) == ([3], [5], [6])
        assert (found(positive=False), found(positive=True)) == ([9, 10], [11])
        assert (found(score_below=0.5), found(arm="b"), found(arm="c")) == ([10], [12], [])
        sampled = found(sample=50, seed=1)
        assert sampled == sorted(sampled)
        assert len(sampled) == 50
        assert set(sampled) < set(everything)
        assert sampled == found(sample=50, seed=1) != found(sample=50, seed=2)
        assert found(sample=5000) == everything

    def test_hostile_values_are_stored_as_they_are(self, store: ProductionStore, folder: Path):
        nasty = "\0\ud800 '; DROP TABLE x; -- %s ? {text}" + "x" * 5000
        records = [exchange(0, request_id=nasty, version=nasty, trace_id=nasty, inputs={nasty: nasty})]
        with (folder / "a.jsonl").open("w") as file:  # escapes, as a file cannot hold what is no character
            file.write(json.dumps(records[0]) + "\n")
        assert (collect(store, [folder]).new, collect(store, [folder]).new) == (1, 0)
        (found,) = iter_exchanges(store, ExchangeFilter("triage", DAY, version=nasty))
        assert (found.exchange.request_id, found.exchange.inputs) == (nasty, {nasty: nasty})
        assert [each.requests for each in series(store, "triage", DAY)] == [1]

    def test_old_records_are_deleted(self, store: ProductionStore, folder: Path):
        records = [kind(number) for number in range(10) for kind in (exchange, exposure)]
        write_records(folder / "a.jsonl", [*records, *(feedback(number, {}, at=at(number)) for number in range(10))])
        collect(store, [folder])
        until = START + timedelta(seconds=4)
        counts = {"exchanges": 4, "feedback": 4, "exposures": 4, "judgements": 0}
        assert store.count_before(until) == store.delete_before(until) == counts
        assert set(store.count_before(until).values()) == {0}
        assert len(list(iter_exchanges(store, ExchangeFilter("triage", DAY)))) == 6
        assert collect(store, [folder]).new == 0


def _value(metric: str, record: dict[str, Any], verdicts: dict[str, bool]) -> float | None:
    number = int(record["trace_id"], 16) - 1
    verdict = verdicts.get(record["trace_id"])
    return {
        "success": float(record["status"] == 200),
        "feedback": None if verdict is None else float(verdict),
        "score": None,
        "latency_s": 0.5,
        "tokens": number + 5.0,
        "cost_usd": 0.5,
    }[metric]
