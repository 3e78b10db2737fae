"""``flowyard ab``: a test from its start to its end, by records of production in a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowyard.cli.main import main

POLICY = """\
name: greeting
arms: {control: a, treatment: b}
primary: {metric: feedback, field: feedback.rating, success: [up], expected: 0.6, smallest: 0.1}
guardrails:
  - {metric: error_rate, most: 0.05, most_times_control: 2}
min_duration: 0s
min_sample: 50
ramp: [{share: 10, min_duration: 0s, min_sample: 10}, 50]
decide: approval
"""
SECRET = "c0ntrol-k3y"

Ab = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def ab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ab:
    """Runs a command over the use case; gives the exit code, what --json printed (or the text), and stderr."""
    monkeypatch.setenv("FLOWYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("FLOWYARD_USER", "ann")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab.yaml").write_text(POLICY)

    def run(*words: str, as_json: bool = True) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, *(["--json"] if as_json else [])])
        printed = capsys.readouterr()
        said = json.loads(printed.out) if as_json and printed.out else printed.out
        return int(ended.value.code or 0), said, printed.err

    return run


def write_records(
    file: Path,
    started_at: str,
    arms: Mapping[str, tuple[int, int]],
    epoch: int = 1,
    *,
    status: int = 200,
    experiment: str = "greeting",
) -> None:
    """Add exposures with feedback: for each arm how many were happy and how many not, mixed."""
    at = datetime.fromisoformat(started_at)
    with file.open("a") as lines:
        for arm, (up, down) in arms.items():
            for number in range(up + down):
                about = {"at": (at + timedelta(milliseconds=number)).isoformat(), "request_id": f"{epoch}{arm}{number}"}
                seen = {"unit": f"{epoch}{arm}{number}", "arm": arm, "epoch": epoch, "latency_s": 0.2, "mirror": False}
                exposure = {"kind": "exposure", **about, "experiment": experiment, "status": status, **seen}
                rating = {"rating": "up" if number < up else "down"}
                lines.write(json.dumps(exposure) + "\n")
                lines.write(json.dumps({"kind": "feedback", **about, "feedback": rating}) + "\n")


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

    code, found, _ = ab("ab", "decide", ".", "--evidence", "records.jsonl")
    assert (code, found["moved_to"], found["approval"]["allowed"]) == (4, None, False)
    again = ab("ab", "decide", ".", "--evidence", "records.jsonl")[1]
    assert again["approval"]["request"] == found["approval"]["request"], "asked once"
    answered = ab("approval", "approve", found["approval"]["request"], "--by", "bob", "--reason", "better")
    assert answered[0] == 0
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
    for said in ("continue (no_difference_yet)", "step 1 of 2", "exact test of counts", "error_rate", "units with an"):
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

    def do_GET(self) -> None:
        if self._may() and self.path == "/v1/gateway/epochs":
            self._answer(200, {"epochs": self.epochs})

    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._may() and self.path == "/v1/gateway/weights":
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
def control() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    epochs: list[dict[str, Any]] = [{"epoch": 1, "at": datetime.now(UTC).isoformat(), "weights": {"a": 100, "b": 0}}]
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Control,), {"epochs": epochs})) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", epochs
        finally:
            server.shutdown()
            thread.join()


def test_the_split_of_a_gateway(ab: Ab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with control() as (url, epochs):
        (tmp_path / "ab.yaml").write_text(f'{POLICY}split: {{gateway: "{url}", key: "${{GATEWAY_KEY}}"}}\n')
        code, _, said = ab("ab", "start", ".")
        assert (code, "GATEWAY_KEY is not set" in said) == (2, True)
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
    assert ab("ab", "decide", ".", "--evidence", "r.jsonl")[0] == 5, "the gateway is gone"
    assert SECRET not in "".join(file.read_text() for file in (tmp_path / "home" / "ab").rglob("*") if file.is_file())
