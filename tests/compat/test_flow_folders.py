"""Every flow under ``tests/flows`` does what its ``expect.json`` says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow_folders import FOLDERS, MODEL_FOLDERS, Expected, flow_in, read_expected, without_unset
from model_server import ModelServer, model_server, requests_alike

from flowyard.engine import prepare
from flowyard.errors import UserError
from flowyard.flows.load import load_flow
from flowyard.llm import EnvironmentSource, open_provider
from flowyard.llm.connections import Connections
from flowyard.records import LineResult, LineTask, RunRecord
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.results import read_lines
from flowyard.runs.run import RunParts
from flowyard.store import SqlStore


class Quiet:
    """Shows nothing."""

    def start(self, run: RunRecord, total: int) -> None:
        pass

    def line(self, result: LineResult) -> None:
        pass

    def end(self, run: RunRecord) -> None:
        pass


def no_provider(connection: Any) -> Any:
    raise AssertionError("these flows call no model")


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with model_server(MODEL_FOLDERS) as server:
        yield server


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_folder(folder: Path, tmp_path: Path, models: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_expected(folder)
    if expected.asks_model:
        for name, value in models.environment(folder.name).items():
            monkeypatch.setenv(name, value)
    if "load_error" in expected.raw:
        with pytest.raises(UserError) as caught:
            await prepare(load_flow(flow_in(folder), expected.variant), *parts_of(expected), init=expected.init)
        assert expected.raw["load_error"] in str(caught.value)
    elif "data" in expected.raw:
        await run_over_data(folder, expected, tmp_path)
    else:
        await run_cases(folder, expected)
    assert requests_alike(models.asked.get(folder.name, [])) == requests_alike(expected.raw.get("requests", []))


def parts_of(expected: Expected) -> tuple[Connections, Any]:
    if expected.asks_model:
        return Connections([EnvironmentSource(dict(os.environ))]), open_provider
    return Connections([]), no_provider


async def run_cases(folder: Path, expected: Expected) -> None:
    runner = await prepare(load_flow(flow_in(folder), expected.variant), *parts_of(expected), init=expected.init)
    try:
        for case in expected.cases:
            line = await runner.run_line(LineTask(0, case.inputs))
            if case.error is None:
                assert line.error is None
                assert without_unset(plain(line.outputs)) == case.outputs
            else:
                assert line.error is not None
                assert (line.error.node, line.error.type) == (case.error["node"], case.error["type"])
                assert line.outputs == {}
    finally:
        await runner.close()


async def run_over_data(folder: Path, expected: Expected, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in expected.raw["data"]), "utf-8")
    parts = RunParts(*parts_of(expected), SqlStore(tmp_path / "home"), Quiet())
    mapping = expected.raw.get("column_mapping", {})
    run = await execute_run(RunRequest(flow_in(folder), data, mapping, expected.variant, expected.init), parts)
    lines = list(read_lines(run))
    assert run.status == "completed"
    done = {str(line.line_number): plain(line.outputs) for line in lines if line.status == "completed"}
    failed = {str(line.line_number): line.error.node for line in lines if line.error}
    assert done == expected.raw["lines"]
    assert failed == expected.raw.get("failed", {})
    assert plain(run.metrics) == expected.raw.get("metrics", {})
    assert [error.node for error in run.errors] == expected.raw.get("aggregation_errors", [])


def test_there_are_enough_of_them() -> None:
    assert len(FOLDERS) >= 60
