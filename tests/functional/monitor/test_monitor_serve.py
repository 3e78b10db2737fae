"""``flowyard monitor serve``: /metrics as Prometheus reads it, for who may."""

from __future__ import annotations

import http.client
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functional_helper import Project, ending, start_flowyard, wait_for_text
from monitor_helper import exchange_at

_LINE = re.compile(
    r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (?P<value>[-+0-9.e]+)'
)
_LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\[\\"n])*)"')


def record(number: int, kind: str = "exchange", **changes: Any) -> dict[str, Any]:
    more = {"kind": kind, "prompt_tokens": 10, "cost_usd": 0.5}
    return exchange_at(number, datetime.now(UTC), **{**more, **changes})


@contextmanager
def metrics(project: Project, *more: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """The address of the server, while the block runs; it ends well."""
    ready = project.root / "ready"
    words = ("monitor", "serve", "--port", "0", "--ready-file", ready, "--home", project.home, *more)
    with ending(start_flowyard(*words, cwd=project.root, env=env)) as process:
        yield wait_for_text(ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def asked(url: str, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples, each line read strictly."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        sample = _LINE.fullmatch(line)
        assert sample, line
        found[sample["name"], frozenset(_LABEL.findall(sample["labels"] or ""))] = float(sample["value"])
    return found


def test_each_version_arm_and_alert(project: Project):
    odd = 'v"2\\\n{x}'
    exchanges = [
        record(number, version="1" if number % 2 else odd, status=500 if number < 4 else 200) for number in range(40)
    ]
    exposures = [
        record(number, "exposure", experiment="answers", unit="u", arm="a", epoch=1) for number in range(100, 110)
    ]
    project.jsonl("records/a.jsonl", [*exchanges, *exposures])
    project.run("monitor", "collect", "records")
    project.write(
        "monitoring.yaml", "flow: chat\nalerts:\n- {name: errors, when: error_rate > 0.01, severity: critical}\n"
    )
    project.run("monitor", "check", "--config", "monitoring.yaml", code=3)
    with metrics(project, "--window", "1h") as url:
        assert asked(url, "/health")[0] == 200
        status, text = asked(url)
        assert status == 200
        found = parsed(text)

        def value(name: str, **labels: str) -> float:
            return found[f"flowyard_monitor_{name}", frozenset(labels.items())]

        assert value("requests", flow="chat", version="1") == 20
        assert value("failed_requests", flow="chat", version="1") == 2
        assert value("latency_seconds", flow="chat", version="1", quantile="0.95") == 0.25
        assert value("tokens", flow="chat", version="1", type="prompt") == 200
        assert value("cost_usd", flow="chat", version="1") == 10
        assert value("requests", flow="chat", version='v\\"2\\\\\\n{x}') == 20
        assert value("requests", experiment="answers", arm="a") == 10
        assert value("alert_state", flow="chat", rule="errors", version="1") == 2
        assert value("window_seconds") == 3600
        names = {name for name, _ in found}
        assert all(f"# TYPE {name} gauge" in text for name in names)
        assert asked(url, "/nothing")[0] == 404
        assert asked(url, host="rebound.example.com")[0] == 403


def test_names_from_records_are_bounded(project: Project):
    project.jsonl("records/a.jsonl", [record(number, version=f"v{number}") for number in range(200)])
    project.run("monitor", "collect", "records")
    with metrics(project) as url:
        found = parsed(asked(url)[1])
    requests = [labels for name, labels in found if name == "flowyard_monitor_requests"]
    assert len(requests) == 20
    assert found["flowyard_monitor_left_out", frozenset({("what", "versions")})] == 180


def test_a_key_where_others_reach_it(project: Project, tmp_path: Path):
    refused = project.rejected("monitor", "serve", "--host", "0.0.0.0", "--port", "0")
    assert "FLOWYARD_MONITOR_KEY" in refused
    assert "--window" in project.rejected("monitor", "serve", "--window", "long")
    with metrics(project, env={"FLOWYARD_MONITOR_KEY": "canary-key"}) as url:
        assert asked(url)[0] == 401
        assert asked(url, authorization="Bearer wrong")[0] == 401
        assert asked(url, authorization="Bearer canary-key")[0] == 200
        assert asked(url, "/health")[0] == 200
