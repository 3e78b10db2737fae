"""Runs over data in every form and from every place, through the command line."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ECHO_TOOL, Project, failed_numbers, one_node_flow
from pictures import PNG


def outputs(project: Project, run: dict[str, Any]) -> list[Any]:
    return [line["outputs"].get("out") for line in project.lines(run)]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is shown."""


@pytest.fixture
def web(project: Project) -> Iterator[str]:
    """The address at which the project's folder ``web`` is served."""
    (project.root / "web").mkdir()
    handler = partial(_Quiet, directory=str(project.root / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_pattern_is_one_run_over_all_its_files(project: Project) -> None:
    project.jsonl("data/b.jsonl", [{"x": "b"}])
    project.jsonl("data/deep/a.jsonl", [{"x": "a"}])
    project.write("data/c.jsonl", '{"x": "c"}\n{broken\n{"x": "d"}\n')
    run = project.json("run", "create", "--flow", project.echo_flow(), "--data", "data/**/*.jsonl", code=1)
    assert outputs(project, run) == ["b", "c", None, "d", "a"]
    (failed,) = [line for line in project.lines(run) if line["error"]]
    assert (failed["line_number"], failed["error"]["where"]) == (2, "c.jsonl:2")
    assert run["data"] == str(project.root / "data" / "**" / "*.jsonl")


def test_a_cut_off_file_costs_one_line(project: Project) -> None:
    packed = gzip.compress("".join(json.dumps({"x": f"text {n * 7919}"}) + "\n" for n in range(400)).encode())
    (project.root / "d.jsonl.gz").write_bytes(packed[:-200])
    run = project.json("run", "create", "--flow", project.echo_flow(), "--data", "d.jsonl.gz", code=1)
    lines = project.lines(run)
    assert failed_numbers(lines) == [len(lines) - 1]
    assert "cannot be unpacked" in lines[-1]["error"]["message"]


def test_a_broken_item_of_an_array_costs_one_line_and_a_broken_array_none(project: Project) -> None:
    flow = project.echo_flow()
    project.write("bad.json", '[{"x": "a"},\n{"x": "b}, {"x": "c"}]')
    said = project.rejected("run", "create", "--flow", flow, "--data", "bad.json")
    assert "bad.json:2" in said
    project.write("d.json", '[{"x": "a"},\n{"x": },\n{"x": "c"}]')
    run = project.json("run", "create", "--flow", flow, "--data", "d.json", code=1)
    assert outputs(project, run) == ["a", None, "c"]
    assert project.lines(run)[1]["error"]["where"] == "d.json:2"


def test_data_of_a_web_server_is_run_evaluated_and_named_in_run_yaml(project: Project, web: str) -> None:
    project.jsonl("web/d.jsonl", [{"x": "a"}, {"x": "b"}])
    flow = project.echo_flow()
    project.write("run.yaml", f"flow: {flow}\ndata: {web}/d.jsonl\n")
    first = project.json("run", "create", "-f", "run.yaml", "-n", "first")
    assert outputs(project, first) == ["a", "b"]
    assert first["data"] == f"{web}/d.jsonl"
    mapping = ["--column-mapping", "x=${run.inputs.x}"]
    second = project.json("run", "create", "--flow", flow, "--run", "first", *mapping)
    assert outputs(project, second) == ["a", "b"]
    again = project.json("run", "create", "--resume-from", "first")
    assert outputs(project, again) == ["a", "b"]


def test_secrets_of_an_address_are_not_stored(project: Project, web: str) -> None:
    project.jsonl("web/d.jsonl", [{"x": "a"}])
    flow = project.echo_flow()
    run = project.json("run", "create", "--flow", flow, "--data", f"{web}/d.jsonl?sig=topsecret", "-n", "signed")
    assert outputs(project, run) == ["a"]
    stored = [file.read_bytes() for file in project.home.rglob("*") if file.is_file()]
    assert not any(b"topsecret" in content for content in stored)
    said = project.run("run", "create", "--resume-from", "signed", code=2).stderr
    assert "had a secret in it, which is not kept" in said


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["inline", "workers"])
def test_remote_data_cannot_name_local_pictures(project: Project, web: str, workers: list[str]) -> None:
    (project.root / "secret.png").write_bytes(PNG)
    flow = project.flow("look", one_node_flow({"x": "image"}), work_py=ECHO_TOOL.replace("return x", "return len(x)"))
    rows = [{"x": {"data:image/png;path": name}} for name in ("secret.png", str(project.root / "secret.png"))]
    project.jsonl("web/d.jsonl", rows)
    project.jsonl("d.jsonl", rows[:1])
    near = project.json("run", "create", "--flow", flow, "--data", "d.jsonl", *workers)
    assert failed_numbers(project.lines(near)) == []
    far = project.json("run", "create", "--flow", flow, "--data", f"{web}/d.jsonl", *workers, code=1)
    assert failed_numbers(project.lines(far)) == [0, 1]


def test_datasets_of_an_experiment_may_be_patterns_and_addresses(project: Project, web: str) -> None:
    project.echo_flow("flows/echo")
    project.jsonl("data/a.jsonl", [{"x": "a"}])
    project.jsonl("data/b.jsonl", [{"x": "b"}])
    project.jsonl("web/c.jsonl", [{"x": "c"}])
    datasets = [("all", "data/*.jsonl"), ("short", "*.jsonl"), ("far", f"{web}/c.jsonl")]
    listed = "".join(
        f"- name: {name}\n  source: '{source}'\n  mappings: {{x: '${{data.x}}'}}\n" for name, source in datasets
    )
    project.write("experiment.yaml", f"name: patterns\nflow: echo\ndatasets:\n{listed}")
    found = project.json("experiment", "run", ".")
    assert [[run["dataset"], outputs(project, run)] for run in found["runs"]] == [
        ["all", ["a", "b"]],
        ["short", ["a", "b"]],
        ["far", ["c"]],
    ]


def test_a_place_without_data_is_said(project: Project, web: str) -> None:
    flow = project.echo_flow()
    assert "No file matches" in project.rejected("run", "create", "--flow", flow, "--data", "data/*.jsonl")
    assert "status 404" in project.rejected("run", "create", "--flow", flow, "--data", f"{web}/none.jsonl")
    assert "takes another package" in project.rejected("run", "create", "--flow", flow, "--data", "s3://b/d.jsonl")
    assert Path(project.root / "echo").is_dir()
