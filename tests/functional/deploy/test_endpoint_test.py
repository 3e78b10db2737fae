"""``flowyard endpoint test`` over a served flow, and over servers that misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from functional_helper import Project, ending, start_flowyard, wait_for_text

KEY = "key-of-the-endpoint-1234"


@contextmanager
def served(project: Project, tmp_path: Path) -> Iterator[str]:
    ready = tmp_path / "ready"
    words = ["flow", "serve", "--source", project.echo_flow(), "--port", "0", "--ready-file", ready]
    env = {"FLOWYARD_SERVE_KEY": KEY, "FLOWYARD_HOME": str(project.home)}
    with ending(start_flowyard(*words, cwd=project.root, env=env)):
        yield wait_for_text(ready)


@contextmanager
def answering(answers: dict[str, tuple[int, Any]], seen: list[str]) -> Iterator[str]:
    """A server with fixed answers, which notes the keys that it was given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(str(self.headers.get("Authorization")))
            status, body = answers.get(self.path, (404, {}))
            data = json.dumps(body).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_served_flow_passes_what_it_should(project: Project, tmp_path: Path):
    sample = project.write("sample-request.json", '{"x": "tea"}')
    good = "cases: [{request: {x: milk}, expect: [{type: exact_match, output: out, ground_truth: milk}]}]"
    bad = "cases: [{name: '<tea>', request: {x: milk}, expect: [{type: exact_match, output: out, ground_truth: tea}]}]"
    golden = project.write("golden.yaml", good)
    junit = tmp_path / "junit.xml"
    with served(project, tmp_path) as url:
        words = ("endpoint", "test", "--url", url, "--file", sample, "--golden", golden)
        env = {"FLOWYARD_SERVE_KEY": KEY}
        load = ("--suite", "integration", "--requests", "12", "--concurrency", "3", "--junit", junit)
        report = project.json(*words, *load, env=env)
        assert report["passed"]
        assert {check["name"]: check["state"] for check in report["checks"]} == dict.fromkeys(
            [
                "ready",
                "schema",
                "sample request",
                "golden: case 1",
                "version",
                "a request without inputs is refused",
                "load",
            ],
            "passed",
        )
        assert report["latency_ms"]["p50"] <= report["latency_ms"]["max"]
        suite = ElementTree.parse(junit).getroot()[0]
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "0", "0")
        golden.write_text(bad)
        slow = ("--max-latency-p95-ms", "0.001", "--junit", junit)
        failed = project.json(*words, *slow, code=1, env=env)
        assert [each["name"] for each in failed["checks"] if each["state"] == "failed"] == ["golden: <tea>", "latency"]
        assert ElementTree.parse(junit).getroot().get("failures") == "2"
        sample.write_text('{"x": 7}')
        assert "x: 7 is not of type 'string'" in project.run(*words, code=1, env=env).stdout
        refused = project.run(*words, code=1, env={"FLOWYARD_SERVE_KEY": "another"})
        assert "HTTP 401" in refused.stdout
        assert KEY not in refused.stdout + refused.stderr + junit.read_text()


def test_a_redirect_is_not_followed_with_the_key(project: Project):
    away: list[str] = []
    with answering({"/health": (200, {})}, away) as other:
        seen: list[str] = []
        with answering({"/health": (302, f"{other}/health")}, seen) as url:
            words = ("endpoint", "test", "--url", url, "--ready-s", "0.1")
            done = project.run(*words, code=1, env={"FLOWYARD_SERVE_KEY": KEY})
    assert "redirects (302)" in done.stdout
    assert set(seen) == {f"Bearer {KEY}"}
    assert away == []


def test_answers_that_are_wrong_are_told(project: Project):
    schema = {"type": "object", "properties": {"out": {"type": "string"}}}
    content = {"content": {"application/json": {"schema": schema}}}
    document = {"paths": {"/score": {"post": {"requestBody": content, "responses": {"200": content}}}}}
    sample = project.write("sample.json", "{}")
    good = {"/health": (200, {}), "/swagger.json": (200, document), "/score": (200, {"out": "\x1b[2J"})}
    wrong = {
        "no OpenAPI": {"/swagger.json": (200, {"paths": {}})},
        "HTTP 500": {"/score": (500, {"error": "\x1b[2Jboom"})},
        "no JSON object": {"/score": (200, ["out"])},
        "no output 'out'": {"/score": (200, {})},
        "not of type 'string'": {"/score": (200, {"out": 3})},
    }
    for said, changed in wrong.items():
        with answering({**good, **changed}, []) as url:
            done = project.run("endpoint", "test", "--url", url, "--file", sample, code=1)
        assert said in done.stdout
        assert "\x1b[2J" not in done.stdout


def test_nobody_there_is_exit_5(project: Project):
    with answering({}, []) as url:
        pass
    done = project.run("endpoint", "test", "--url", url, "--ready-s", "0.1", code=5)
    assert "Not ready within 0.1 s. GET /health: nobody listens there" in done.stdout


def test_wrong_input(project: Project):
    assert "Say what to test" in project.rejected("endpoint", "test")
    assert "without a name or password" in project.rejected("endpoint", "test", "--url", "http://ann:pw@127.0.0.1/")
    assert "cannot be read" in project.rejected("endpoint", "test", "--url", "http://127.0.0.1:9", "--file", "no.json")
