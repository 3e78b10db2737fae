"""Publishing to a real MLflow server, and what happens when it is not there."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from functional_helper import Project, one_node_flow
from git_helper import git
from mlflow_server import needs_mlflow

from flowyard.registry import Draft, TreeFile
from flowyard.registry.stores.mlflow import open_store
from flowyard.registry.tree import file_digest, iter_files

FAILING_TOOL = """\
from promptflow.core import tool, log_metric


@tool
def work(x: str):
    if x == "bad":
        raise ValueError("no such word")
    return {"said": x, "nested": [1, None, 0.5]}
"""
SECRET = "sk-not-to-be-told-4711"


class Server:
    """What the server has, asked through its own API."""

    def __init__(self, address: str) -> None:
        self.url = f"mlflow+http://{address}"
        self._address = f"http://{address}/api"

    def runs(self, experiment_id: str) -> dict[str, dict[str, Any]]:
        """Runs by flowyard's name for them, their lists as mappings."""
        found = self._ask("2.0/mlflow/runs/search", {"experiment_ids": [experiment_id], "max_results": 1000})["runs"]
        listed = {}
        for run in found:
            data = {part: {each["key"]: each["value"] for each in run["data"].get(part, ())} for part in run["data"]}
            listed[data["tags"]["flowyard.run"]] = {**run["info"], **data, "inputs": run.get("inputs", {})}
        assert len(listed) == len(found), "no run is there twice"
        return listed

    def traces(self, run_id: str, experiment_id: str) -> list[dict[str, Any]]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
        body = {"locations": [place], "filter": f"attributes.run_id = '{run_id}'", "max_results": 100}
        return self._ask("3.0/mlflow/traces/search", body).get("traces", [])

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        return self._ask(f"3.0/mlflow/traces/get?trace_id={trace_id}")["trace"]["spans"]

    def versions(self, model: str) -> list[dict[str, Any]]:
        """The versions of a registered model, their tags as mappings."""
        wanted = quote(f"name='{model}'")
        found = self._ask(f"2.0/mlflow/model-versions/search?filter={wanted}")["model_versions"]
        return [{**each, "tags": {tag["key"]: tag["value"] for tag in each["tags"]}} for each in found]

    def artifact(self, run: dict[str, Any], name: str) -> bytes:
        root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return self._read(f"2.0/mlflow-artifacts/artifacts/{root}/{name}")

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self._read(path, None if body is None else json.dumps(body).encode()))

    def _read(self, path: str, data: bytes | None = None) -> bytes:
        request = Request(f"{self._address}/{path}", data=data, headers={"Content-Type": "application/json"})
        with build_opener(ProxyHandler({})).open(request, timeout=60) as response:
            return response.read()


@pytest.fixture
def server(mlflow_address: str) -> Server:
    return Server(mlflow_address)


@pytest.fixture
def finished(project: Project) -> dict[str, Any]:
    """A run of three lines, of which one failed."""
    project.flow("talk", one_node_flow({"x": "string"}), work_py=FAILING_TOOL)
    data = project.jsonl("data.jsonl", [{"x": "ü"}, {"x": "bad"}, {"x": "two"}])
    arguments = ["run", "create", "--flow", "talk", "--data", data, "--column-mapping", "x=${data.x}"]
    return project.json(*arguments, "--name", "first", "--set", "tags.team=red", code=1)


@pytest.mark.mlflow
class TestPublishedRuns:
    pytestmark = needs_mlflow

    def test_a_run_with_its_facts_files_and_traces(self, project: Project, server: Server, finished: dict[str, Any]):
        name = f"exp {secrets.token_hex(4)}"
        said = project.json("run", "publish", "first", "--to", server.url, "--experiment-name", name)
        [published] = said["runs"]
        assert (published["name"], published["published"], published["warnings"]) == ("first", True, [])
        [run] = server.runs(published["experiment_id"]).values()
        assert run["status"] == "FINISHED"
        assert run["tags"]["team"] == "red"
        assert run["params"]["mapping.x"] == "${data.x}"
        assert (run["metrics"]["run.lines.completed"], run["metrics"]["run.lines.failed"]) == (2, 1)
        assert run["inputs"]["dataset_inputs"][0]["dataset"]["name"] == "data.jsonl"
        assert server.artifact(run, "outputs.jsonl") == Path(finished["outputs"]).read_bytes()
        traces = server.traces(run["run_id"], published["experiment_id"])
        assert sorted(each["state"] for each in traces) == ["ERROR", "OK", "OK"]
        by_line = {each["tags"]["flowyard.line"]: each for each in traces}
        assert json.loads(by_line["0"]["request_preview"]) == {"x": "ü"}

    def test_publishing_again_changes_nothing(self, project: Project, server: Server, finished: dict[str, Any]):
        name = f"exp {secrets.token_hex(4)}"
        arguments = ["run", "publish", "first", "--to", server.url, "--experiment-name", name]
        [first] = project.json(*arguments)["runs"]
        before = server.runs(first["experiment_id"])
        assert "flowyard.commit" not in before["first"]["tags"], "there is no repository"
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "later"]):
            git(project.root, *words)
        [again] = project.json(*arguments)["runs"]
        assert again == {**first, "published": False}
        assert server.runs(first["experiment_id"]) == before
        assert len(server.traces(first["run_id"], first["experiment_id"])) == 3

    def test_the_spans_of_a_line(self, project: Project, server: Server, finished: dict[str, Any]):
        name = f"exp {secrets.token_hex(4)}"
        [first] = project.json("run", "publish", "first", "--to", server.url, "--experiment-name", name)["runs"]
        traces = server.traces(first["run_id"], first["experiment_id"])
        [failed] = [each for each in traces if each["state"] == "ERROR"]
        line, node = sorted(server.spans(failed["trace_id"]), key=lambda span: "parent_span_id" in span)
        assert (line["name"], node["name"]) == ("flow.dag", "work")
        assert node["parent_span_id"] == line["span_id"]
        assert "no such word" in node["status"]["message"]

    def test_a_registered_version_names_its_run(self, project: Project, server: Server, finished: dict[str, Any]):
        prefix = f"{secrets.token_hex(4)}."
        url = f"{server.url}?prefix={prefix}"
        folder = project.root / "talk"
        pairs = list(iter_files(folder))
        files = tuple(TreeFile(name, path.stat().st_size, file_digest(path)) for name, path in pairs)
        open_store(url, {}).add(Draft("flow", "talk", files, tuple(path for _, path in pairs), is_folder=True))
        name = f"exp {secrets.token_hex(4)}"
        arguments = ["run", "publish", "first", "--to", url, "--experiment-name", name, "--version"]
        for words in (["init", "-q"], ["add", "talk"], ["commit", "-qm", "first"]):
            git(project.root, *words)
        [first] = project.json(*arguments, "talk:1")["runs"]
        tags = server.runs(first["experiment_id"])["first"]["tags"]
        assert tags["flowyard.commit"] == tags["mlflow.source.git.commit"]
        [version] = server.versions(prefix + "talk")
        assert version["tags"]["flowyard.run.first"] == first["run_id"]
        assert server.runs(first["experiment_id"])["first"]["tags"]["flowyard.version"] == "talk:1"
        assert "no flow talk:2" in project.run(*arguments, "talk:2", code=2).stderr

    def test_an_experiment_publishes_when_it_ends(self, project: Project, server: Server):
        folder = project.example()
        said = project.json("experiment", "run", folder, "--max-failed-lines", "9", "--track", server.url)
        [again] = [project.json("experiment", "publish", said["key"], "--to", server.url)]
        assert not any(each["published"] for each in again["runs"]), "it is there already"
        runs = server.runs(again["runs"][0]["experiment_id"])
        whole = runs[f"{said['name']}/{said['key']}"]
        assert b"<html" in server.artifact(whole, "report/report.html")
        for run in said["runs"]:
            published = runs[run["name"]]
            assert published["tags"]["mlflow.parentRunId"] == whole["run_id"]
            for evaluation in run["evaluations"]:
                below = runs[evaluation["name"]]
                assert below["tags"]["mlflow.parentRunId"] == published["run_id"]
                for metric, value in evaluation["metrics"].items():
                    assert below["metrics"][metric] == value
                assert (
                    evaluation["metrics"].items()
                    <= {name.rpartition(".")[2]: number for name, number in published["metrics"].items()}.items()
                )


class TestWithoutMlflow:
    def test_an_experiment_whose_publishing_fails_ends_as_it_would(self, project: Project):
        folder = project.example()
        done = project.run(
            "experiment",
            "run",
            folder,
            "--max-failed-lines",
            "9",
            env={"FLOWYARD_TRACKING": "mlflow+http://127.0.0.1:1"},
        )
        assert "Not published: MLflow at 127.0.0.1:1 does not answer" in done.stderr
        assert "flowyard experiment publish" in done.stderr

    def test_an_address_is_looked_at_before_anything_is_run(self, project: Project):
        folder = project.example()
        assert "mlflow+https" in project.rejected("experiment", "run", folder, "--track", "https://somewhere")
        said = project.rejected("experiment", "run", folder, "--track", f"mlflow+https://me:{SECRET}@somewhere")
        assert SECRET not in said

    def test_publishing_to_what_is_not_there_fails_outside(self, project: Project, finished: dict[str, Any]):
        done = project.run("run", "publish", "first", "--to", "mlflow+http://127.0.0.1:1", code=5)
        assert "does not answer" in done.stderr
