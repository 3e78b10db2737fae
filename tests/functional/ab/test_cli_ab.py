"""``flowyard ab``: a test from its start to its end, by records of production in a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ab_runs import POLICY, Ab, running, write_records

SECRET = "c0ntrol-k3y"


@pytest.fixture
def ab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ab:
    return running(tmp_path, monkeypatch, capsys)


def test_a_better_treatment_climbs_the_ramp_and_waits_for_a_yes(ab: Ab, tmp_path: Path):
    split = tmp_path / "home" / "ab" / "greeting" / "split.json"
    code, started, _ = ab("ab", "start", ".")
    assert code == 0
    assert started["ramp"]["share"] == 10
    assert started["plan"][1]["units"] > started["plan"][1]["units_one_look"] > 500
    since = started["ramp"]["started_at"]
    records = tmp_path / "records.jsonl"
    write_records(records, since, {"a": (54, 36), "b": (7, 3)})

    code, found, _ = ab("ab", "decide", ".", "--evidence", "records.jsonl")
    assert (code, found["state"], found["moved_to"]) == (0, "continue", 50)
    assert json.loads(split.read_text())["weights"] == {"a": 50, "b": 50}

    write_records(records, since, {"a": (600, 400), "b": (800, 200)}, epoch=2)
    code, found, _ = ab("ab", "status", ".", "--evidence", "records.jsonl")
    assert (code, found["state"], found["rule"], found["ramp"]["share"]) == (0, "promote", "primary_better", 50)
    assert found["primary"]["interval"][0] > 0
    assert [each["treatment_share"] for each in found["epochs"]] == [0.1, 0.5]
    assert found["approval"]["request"] is None, "looking asks nobody"

    code, found, _ = ab("ab", "decide", ".", "--evidence", "records.jsonl")
    assert (code, found["moved_to"], found["approval"]["allowed"]) == (4, None, False)
    again = ab("ab", "decide", ".", "--evidence", "records.jsonl")[1]
    assert again["approval"]["request"] == found["approval"]["request"], "asked once"
    code, looked, _ = ab("ab", "status", ".", "--evidence", "records.jsonl")
    assert (code, looked["approval"]) == (4, found["approval"])
    command = f"flowyard approval approve {found['approval']['request']} --reason"
    assert command in ab("ab", "status", ".", "--evidence", "records.jsonl", as_json=False)[1]
    answered = ab("approval", "approve", found["approval"]["request"], "--by", "bob", "--reason", "better")
    assert answered[0] == 0
    assert ab("ab", "status", ".", "--evidence", "records.jsonl")[1]["approval"]["allowed"]
    code, found, _ = ab("ab", "decide", ".", "--evidence", "records.jsonl")
    assert (code, found["moved_to"], found["ramp"]["end"]) == (0, 100, "promote")
    assert json.loads(split.read_text())["weights"] == {"a": 0, "b": 100}
    assert ab("ab", "stop", ".", "--reason", "late")[1]["ramp"]["end"] == "promote"


def test_a_no_leaves_the_split_as_it_is(ab: Ab, tmp_path: Path):
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (1000, 800), "b": (180, 20)})
    request = ab("ab", "decide", ".", "--evidence", "r.jsonl")[1]["approval"]["request"]
    assert ab("approval", "reject", request, "--by", "bob", "--reason", "not now")[0] == 0
    code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl")
    assert (code, found["ramp"]["share"], found["approval"]["request"]) == (4, 10, request)


def test_a_canary_that_fails_is_rolled_back_in_the_same_tick(ab: Ab, tmp_path: Path):
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (300, 60)})
    write_records(tmp_path / "r.jsonl", since, {"b": (30, 10)}, status=500)
    code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl", "--every", "0.01")
    assert (code, found["state"], found["rule"]) == (3, "rollback", "guardrail error_rate most")
    split = json.loads((tmp_path / "home" / "ab" / "greeting" / "split.json").read_text())
    assert split["weights"] == {"a": 100, "b": 0}
    assert ab("ab", "decide", ".", "--evidence", "r.jsonl")[0] == 3, "it stays ended"


def test_a_wrong_sample_ratio_ends_it(ab: Ab, tmp_path: Path):
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (300, 200), "b": (200, 100)})
    code, text, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl", as_json=False)
    assert code == 3
    assert "greeting: invalid (sample_ratio)" in text
    assert "b has 0 % of the requests" in text


def test_a_person_reads_what_is_known(ab: Ab, tmp_path: Path):
    _, text, _ = ab("ab", "start", ".", "--plan", as_json=False)
    assert "users in all for a difference of 0.1" in text
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (540, 360), "b": (60, 40)})
    (tmp_path / "r.jsonl").write_text((tmp_path / "r.jsonl").read_text() + "broken\n")
    code, text, _ = ab("ab", "status", ".", "--evidence", "r.jsonl", as_json=False)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 100
    text = " ".join(text.split())
    for said in ("continue (no_difference_yet)", "step 1 of 2", "exact test of counts", "error_rate", "outcome a day"):
        assert said in text


def test_mistakes(ab: Ab, tmp_path: Path):
    assert ab("ab", "decide", ".", "--evidence", "none.jsonl")[0] == 2
    assert ab("ab", "start", ".")[0] == 0
    code, _, said = ab("ab", "start", ".")
    assert code == 2
    assert "was started before" in said
    code, _, said = ab("ab", "decide", ".", "--evidence", "none.jsonl")
    assert code == 2
    assert "none.jsonl" in said
    (tmp_path / "ab.yaml").write_text(POLICY.replace("min_sample", "min_sampel"))
    code, _, said = ab("ab", "status", ".", "--evidence", "none.jsonl")
    assert code == 2
    assert "ab.yaml:7: Unknown key 'min_sampel'" in said


class Control(BaseHTTPRequestHandler):
    """The control plane of a gateway, as far as a test of two versions needs it."""

    epochs: list[dict[str, Any]]
    refusals: list[str]

    def do_GET(self) -> None:
        if self._may() and self.path == "/v1/gateway/epochs":
            self._answer(200, {"epochs": self.epochs})
        elif self.path == "/v1/gateway":
            self._answer(200, {"backends": {"a": {"version": "shop:3"}, "b": {"version": "shop:4"}}})

    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.refusals:
            self._answer(409, {"error": {"message": self.refusals.pop()}})
        elif self._may() and self.path == "/v1/gateway/weights":
            self.epochs.append({"epoch": len(self.epochs) + 1, "at": datetime.now(UTC).isoformat(), **asked})
            self._answer(200, self.epochs[-1])

    def _may(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {SECRET}":
            return True
        self._answer(401, {"error": f"wrong: {self.headers.get('Authorization')}"})
        return False

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def control(*refusals: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    epochs: list[dict[str, Any]] = [{"epoch": 1, "at": datetime.now(UTC).isoformat(), "weights": {"a": 100, "b": 0}}]
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Own", (Control,), {"epochs": epochs, "refusals": [*refusals]})
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", epochs
        finally:
            server.shutdown()
            thread.join()


def test_a_start_that_the_gateway_refuses_is_begun_again(ab: Ab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_KEY", SECRET)
    with control("it is \x1b[1mbusy") as (url, epochs):
        policy = f'{POLICY}split: {{gateway: "{url}", key: "${{GATEWAY_KEY}}"}}\n'
        (tmp_path / "ab.yaml").write_text(policy)
        code, _, said = ab("ab", "start", ".")
        assert code == 5
        assert "says no (409)" in said
        assert "busy" in said
        assert "\x1b" not in said
        assert "flowyard ab start" in ab("ab", "status", ".", as_json=False)[1]
        assert ab("ab", "start", ".")[1]["ramp"]["share"] == 10
        assert epochs[-1]["weights"] == {"a": 90, "b": 10}
        code, _, said = ab("ab", "start", ".")
        assert code == 2
        assert "'experiment: greeting'" in said
        text = ab("ab", "status", ".", as_json=False)[1]
        assert "nothing yet of the experiment greeting: flowyard monitor collect" in " ".join(text.split())
        ab("ab", "stop", ".", "--reason", "not now")
        assert "greeting: ended (stopped)" in ab("ab", "status", ".", as_json=False)[1]


def test_the_split_of_a_gateway(ab: Ab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with control() as (url, epochs):
        (tmp_path / "ab.yaml").write_text(f'{POLICY}split: {{gateway: "{url}", key: "${{GATEWAY_KEY}}"}}\n')
        code, _, said = ab("ab", "start", ".")
        assert (code, "GATEWAY_KEY is not set" in said) == (2, True)
        (tmp_path / "greeting").mkdir()
        assert "Did you mean 'greeting'?" in ab("ab", "start", "greting")[2]
        monkeypatch.setenv("GATEWAY_KEY", "wr0ng")
        code, _, said = ab("ab", "start", ".")
        assert code == 5
        assert "does not take this key" in said
        assert "wr0ng" not in said
        monkeypatch.setenv("GATEWAY_KEY", SECRET)
        started = ab("ab", "start", ".")[1]
        assert epochs[-1]["weights"] == {"a": 90, "b": 10}
        since = started["ramp"]["started_at"]
        write_records(tmp_path / "r.jsonl", since, {"a": (800, 100), "b": (30, 70)}, epoch=2)
        code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl")
        assert (code, found["rule"]) == (3, "primary_worse")
        assert epochs[-1]["weights"] == {"a": 100, "b": 0}
        assert epochs[-1]["reason"] == "greeting: rollback: primary_worse"
    code, _, said = ab("ab", "decide", ".", "--evidence", "r.jsonl")
    assert code == 5, "the gateway is gone"
    assert "Start it: flowyard gateway serve --config gateway.yaml" in said
    assert SECRET not in "".join(file.read_text() for file in (tmp_path / "home" / "ab").rglob("*") if file.is_file())


def test_what_was_collected_decides_as_its_files_do(ab: Ab, tmp_path: Path):
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    folder = tmp_path / "records"
    folder.mkdir()
    write_records(folder / "one.jsonl", since, {"a": (54, 36), "b": (7, 3)})
    assert ab("monitor", "collect", "records")[0] == 0
    by_file = ab("ab", "status", ".", "--evidence", "records/one.jsonl")
    by_store = ab("ab", "status", ".")
    assert by_store[0] == by_file[0] == 0
    compared = ("state", "rule", "epochs", "primary", "guardrails")
    assert {name: by_store[1].get(name) for name in compared} == {name: by_file[1].get(name) for name in compared}
    assert [by_store[1]["epochs"][0][arm]["requests"] for arm in ("control", "treatment")] == [90, 10]
