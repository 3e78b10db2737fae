"""``flowyard monitor check`` and ``watch``: people are told of what goes wrong, once, and of its end, once."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from functional_helper import Project, ending, flowyard, start_flowyard
from monitor_helper import exchange_at, kept
from span_collector import SpanCollector, span_collector

RULES = """\
flow: chat
notify: [webhook:TEAM_HOOK]
records: [records]
alerts:
- name: errors
  when: error_rate > 0.2 over 1h
  severity: critical
- name: budget
  when: cost_usd > 5 over 1d
  by: flow
"""


def exchange(number: int, **changes: Any) -> dict[str, Any]:
    more = {"cost_usd": 0.001, "inputs": {"question": f"What is {number}?"}, "outputs": {}}
    return exchange_at(number, datetime.now(UTC) - timedelta(minutes=1), **{**more, **changes})


def collected(project: Project, *records: dict[str, Any]) -> None:
    kept(project, *records)
    project.run("monitor", "collect", "records")


def failing(start: int, count: int, **changes: Any) -> list[dict[str, Any]]:
    return [exchange(number, status=500, **changes) for number in range(start, start + count)]


def fine(start: int, count: int, **changes: Any) -> list[dict[str, Any]]:
    return [exchange(number, **changes) for number in range(start, start + count)]


def hook(collector: SpanCollector) -> dict[str, str]:
    host = collector.url.removeprefix("http://")
    return {"TEAM_HOOK": f"{collector.url}/secret-path", "FLOWYARD_WEBHOOK_HOSTS": host}


def rows(body: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["value"] for row in body["rows"]}


def states(found: dict[str, Any]) -> dict[tuple[str, str | None], str]:
    return {(each["rule"], each["version"]): each["state"] for each in found["alerts"]}


def test_an_alert_is_told_once_and_its_end_once(project: Project):
    project.write("monitoring.yaml", RULES)
    collected(project, *fine(0, 60), *failing(100, 30, version="2\x1b[2J<b>"))
    words = ("monitor", "check", "--config", "monitoring.yaml", "--notify")
    with span_collector() as team:
        env = hook(team)
        found = project.json(*words, code=3, env=env)
        assert (found["flow"], found["firing"], found["critical"]) == ("chat", 1, 1)
        assert states(found) == {
            ("errors", "2\x1b[2J<b>"): "firing",
            ("errors", "1"): "ok",
            ("budget", None): "ok",
        }
        done = project.run(*words, code=3, env=env)
        assert "\x1b[2J" not in done.stdout
        assert "secret-path" not in done.stdout + done.stderr
        (told,) = team.bodies
        assert told["title"].startswith("CRITICAL: errors of chat version 2")
        assert (rows(told)["value"], rows(told)["rule"]) == ("1", "error_rate > 0.2 over 1h")
        collected(project, *fine(200, 200, version="2\x1b[2J<b>"))
        assert project.json(*words, env=env)["firing"] == 0
        assert project.json(*words, env=env)["firing"] == 0
        assert [body["title"].split(":")[0] for body in team.bodies] == ["CRITICAL", "Resolved"]
        assert len({rows(body)["message"] for body in team.bodies}) == 2


def test_a_look_that_tells_nobody_leaves_it_to_the_next(project: Project):
    project.write("monitoring.yaml", RULES)
    collected(project, *failing(0, 30))
    words = ("monitor", "check", "--config", "monitoring.yaml")
    project.run(*words, code=3)
    unset = project.run(*words, "--notify", code=3)
    assert "Not told by webhook:TEAM_HOOK: webhook:TEAM_HOOK: the variable TEAM_HOOK is not set." in unset.stderr
    with span_collector() as team:
        project.run(*words, "--notify", code=3, env=hook(team))
        project.run(*words, "--notify", code=3, env=hook(team))
        assert len(team.bodies) == 1


def test_few_requests_say_nothing_and_the_whole_flow_is_one(project: Project):
    project.write(
        "monitoring.yaml", RULES.replace("cost_usd > 5", "cost_usd > 0.05").replace("[webhook:TEAM_HOOK]", "[]")
    )
    collected(project, *failing(0, 19), *fine(100, 50, version="2"))
    found = project.json("monitor", "check", "--config", "monitoring.yaml")
    assert states(found) == {("errors", "1"): "ok", ("errors", "2"): "ok", ("budget", None): "firing"}
    assert next(each for each in found["alerts"] if each["version"] == "1")["text"] == "19 of the 20 that are needed"


def test_rules_that_have_nothing_to_measure_yet_are_named(project: Project):
    project.write("monitoring.yaml", "flow: chat\nalerts:\n- {name: moved, when: drift.inputs over 1h}\n")
    said = project.run("monitor", "check", "--config", "monitoring.yaml").stdout
    assert said == "chat: 0 alerts of 1 rule\nNothing was recorded yet in the time of moved.\n"


def test_a_flow_without_requests_can_be_an_alert(project: Project):
    project.write("monitoring.yaml", "flow: chat\nalerts:\n- {name: silent, when: requests < 1, by: flow}\n")
    assert states(project.json("monitor", "check", "--config", "monitoring.yaml")) == {("silent", None): "firing"}
    done = project.run("monitor", "check", "--config", "monitoring.yaml")
    assert "chat: 1 alert of 1 rule" in done.stdout


def test_scores_that_drop_by_more_than_chance(project: Project):
    rule = "{name: quality, when: feedback.score drops 0.1 over 1h against 2h}"
    project.write("monitoring.yaml", f"flow: chat\nalerts:\n- {rule}\n")
    before = (datetime.now(UTC) - timedelta(hours=2)).isoformat()

    def said(number: int, score: float, at: str) -> list[dict[str, Any]]:
        about = exchange(number, at=at)
        names = ("at", "trace_id", "span_id", "flow", "version", "request_id")
        return [about, {"kind": "feedback", "feedback": {"score": score}, **{name: about[name] for name in names}}]

    now = exchange(0)["at"]
    for number in range(40):
        kept(project, *said(number, 0.8 if number % 2 else 0.9, before), *said(100 + number, 0.84, now))
    project.run("monitor", "collect", "records")
    words = ("monitor", "check", "--config", "monitoring.yaml")
    assert states(project.json(*words)) == {("quality", "1"): "ok"}
    kept(project, *(record for number in range(200, 300) for record in said(number, 0.5, now)))
    project.run("monitor", "collect", "records")
    (alert,) = project.json(*words)["alerts"]
    assert (alert["state"], alert["severity"]) == ("firing", "warning")
    assert alert["text"].endswith("after 0.85")


def test_every_problem_of_the_file_has_its_line(project: Project):
    project.write(
        "monitoring.yaml",
        "flow: chat\nnotify: ['https://hooks.example.com/secret']\nalert: []\nalerts:\n- name: errors\n"
        "  when: eror_rate > 0.05\n- name: errors\n  when: error_rate > 0.05\n  severty: critical\n"
        "drift:\n  reference: yesterday\n  effect: 0\n",
    )
    said = project.rejected("monitor", "check", "--config", "monitoring.yaml")
    problems = said.replace("\n    ", " ").splitlines()
    for line, words in {
        2: "notify.0: a target is no way to notify people",
        3: "Unknown key 'alert'",
        6: "Did you mean 'error_rate'?",
        9: "Did you mean 'severity'?",
        11: "registry:NAME:VERSION, run:NAME or a time such as 7d",
        12: "greater than 0",
    }.items():
        assert any(f"monitoring.yaml:{line}" in each and words in each for each in problems), (line, said)
    assert "secret" not in said
    assert "There is no" in project.rejected("monitor", "check", "nowhere")
    assert "or --config FILE" in project.rejected("monitor", "check")


@contextmanager
def watching(project: Project, env: dict[str, str], *more: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """``watch`` and what it prints."""
    words = ("monitor", "watch", "--config", "monitoring.yaml", "--every", "0.1", "--json", "--home", project.home)
    process = start_flowyard(*words, *more, cwd=project.root, stdout=subprocess.PIPE, env=env)
    with ending(process):
        assert process.stdout is not None
        with process.stdout as lines:
            yield process, lines


def next_look(lines: IO[str], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next look that is wanted."""
    for line in lines:
        found: dict[str, Any] = json.loads(line)
        if wanted(found):
            return found
    raise AssertionError("watch has ended")


def test_watching_collects_and_tells_and_is_one_for_a_home(project: Project):
    project.write("monitoring.yaml", RULES)
    kept(project, *fine(0, 30))
    with (
        span_collector() as team,
        watching(project, hook(team), "--otlp", f"{team.url}/v1/metrics") as (process, lines),
    ):
        assert next_look(lines, lambda found: found["alerts"])["firing"] == 0
        kept(project, *failing(100, 60))
        assert states(next_look(lines, lambda found: found["firing"]))["errors", "1"] == "firing"
        team.wait(lambda: any("title" in body for body in team.bodies))
        words = ("monitor", "watch", "--config", "monitoring.yaml", "--home", project.home)
        second = flowyard(*words, cwd=project.root, env=hook(team))
        assert second.returncode == 2
        assert "Somebody watches already" in second.stderr
        said = project.run("monitor", "check", "--config", "monitoring.yaml", "--notify", code=3, env=hook(team))
        assert "monitor watch runs here" in said.stderr
        seen = len(team.bodies)
        team.wait(lambda: len(team.bodies) > seen + 1)
        metrics = team.metrics
        (known,) = [value for facts, value in metrics["flowyard.monitor.requests"] if facts["version"] == "1"]
        assert known == 90
        rules = {facts["rule"]: value for facts, value in metrics["flowyard.monitor.alert_state"]}
        assert rules == {"errors": 2.0, "budget": 0.0}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert sum("title" in body for body in team.bodies) == 1


def test_killed_while_telling_it_is_told_again_with_the_same_id(project: Project):
    """The message is written down before it is sent: at least once, and whoever is told twice can see it."""
    project.write("monitoring.yaml", RULES.replace("webhook:", "slack:"))
    collected(project, *failing(0, 30))
    killed: list[subprocess.Popen[str]] = []

    def kill(number: int, _body: Any) -> None:
        if number == 1:
            killed[0].kill()
            killed[0].wait(timeout=60)

    with span_collector(kill) as team:
        words = ("monitor", "check", "--config", "monitoring.yaml", "--notify", "--home", project.home)
        with ending(start_flowyard(*words, cwd=project.root, env=hook(team), stdout=subprocess.PIPE)) as process:
            killed.append(process)
            team.wait(lambda: bool(team.bodies))
            assert process.wait(timeout=60) == -signal.SIGKILL
            assert process.stdout is not None
            process.stdout.close()
        project.run(*words[:-2], code=3, env=hook(team))
        project.run(*words[:-2], code=3, env=hook(team))
        first, second = (json.dumps(body) for body in team.bodies)
        assert first == second


def test_otlp_in_both_forms_and_what_a_collector_refuses(project: Project):
    project.write("monitoring.yaml", RULES.replace("[webhook:TEAM_HOOK]", "[]"))
    kept(project, *fine(0, 30, version="é\n"), *fine(100, 10, version="2", prompt_tokens=7))
    shown = {}
    for protocol in ("http/protobuf", "http/json"):
        env = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=canary-key"}
        with span_collector() as endpoint, watching(project, env, "--otlp", f"{endpoint.url}/v1/metrics"):
            endpoint.wait(lambda: bool(endpoint.bodies))
            assert endpoint.headers[0]["x-key"] == "canary-key"
            shown[protocol] = endpoint.metrics["flowyard.monitor.requests"]
            assert ({"flow": "chat", "version": "2", "type": "prompt"}, 70.0) in endpoint.metrics[
                "flowyard.monitor.tokens"
            ]
            assert endpoint.metrics["flowyard.monitor.window"] == [({}, 300.0)]
    assert shown["http/protobuf"] == shown["http/json"]
    assert ({"flow": "chat", "version": "é\n"}, 30.0) in shown["http/json"]
    words = ("monitor", "watch", "--config", "monitoring.yaml", "--home", project.home)
    for url in ("ftp://example.com", "https://me:pw@example.com", "nothing"):
        refused = flowyard(*words, "--otlp", url, cwd=project.root)
        assert refused.returncode == 2
        assert "pw" not in refused.stderr


def test_a_collector_that_moves_is_not_followed(project: Project, tmp_path: Path):
    project.write("monitoring.yaml", RULES.replace("[webhook:TEAM_HOOK]", "[]"))
    kept(project, *fine(0, 30))
    log = tmp_path / "log"
    with span_collector() as elsewhere:
        moved = (307, {"Location": f"{elsewhere.url}/v1/metrics"}, b"")
        with span_collector(lambda number, body: moved) as endpoint, log.open("w") as errors:
            words = ("monitor", "watch", "--config", "monitoring.yaml", "--every", "0.1", "--home", project.home)
            url = f"{endpoint.url}/v1/metrics?token=canary-token"
            with ending(start_flowyard(*words, "--otlp", url, cwd=project.root, stderr=errors)) as process:
                endpoint.wait(lambda: len(endpoint.bodies) > 2)
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == 130
        assert elsewhere.bodies == []
    assert "answered 307" in log.read_text()
    assert "canary-token" not in log.read_text()
