"""Names, ids and parts of addresses that lead elsewhere: nothing is read or written outside of where it belongs."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest
from functional_helper import Project
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import FlowyardError
from flowyard.records import RunQuery
from flowyard.registry.tree import is_plain_name
from flowyard.store import SqlStore

CANARY = "the-content-of-a-file-outside"
NAMES = (
    *(
        "../outside",
        "../../outside",
        "a/../../outside",
        "..",
        ".",
        "/etc/passwd",
        "//etc/passwd",
        "a/b",
        "outside/../x",
    ),
    *("..\\outside", "..%2foutside", "%2e%2e%2foutside", "%252e%252e%252foutside", "..%c0%afoutside", "x\n../outside"),
    *(
        "\uff0e\uff0e/outside",
        "\u2024\u2024/outside",
        "..\u2215outside",
        "~",
        "~/outside",
        "$HOME",
        "file:///etc/passwd",
    ),
)
LOOKING = (
    *(("run", verb, "--name") for verb in ("show", "show-details", "stream", "tail", "archive", "delete")),
    *(("experiment", verb) for verb in ("report", "gate", "resume")),
    *(("dataset", "show"), ("connection", "show", "--name"), ("price", "show"), ("evaluator", "show")),
)


@pytest.fixture
def guarded(project: Project) -> Project:
    """A project with a run's and an experiment's files beside its home, where names may try to lead."""
    body = {"name": "../outside", "status": "completed", "description": CANARY}
    for folder in (project.home.parent / "outside", project.home / "outside", project.root / "outside"):
        folder.mkdir(parents=True)
        for name in ("run.json", "lines.jsonl", "experiment.json", "outcome.json", "1.json"):
            (folder / name).write_text(json.dumps(body))
    return project


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "flowyard.db" not in path.name
    }


def in_process(project: Project, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    from flowyard.cli.main import main

    with pytest.raises(SystemExit) as end:
        main([*words, "--home", str(project.home)])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out + err


@pytest.fixture
def restored(guarded: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    import signal

    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(guarded.root)
    yield guarded
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(before)


def test_no_name_leads_to_a_file_outside(restored: Project, capsys: pytest.CaptureFixture[str]):
    before = files(restored.home.parent)
    for words in LOOKING:
        for name in NAMES:
            more = ["--yes"] if words[1] == "delete" else []
            code, said = in_process(restored, [*words, name, *more], capsys)
            assert code == 2, (words, name, said)
            assert CANARY not in said, (words, name)
    assert files(restored.home.parent) == before


def test_no_name_makes_a_file_outside(restored: Project, capsys: pytest.CaptureFixture[str]):
    flow = restored.echo_flow()
    data = restored.jsonl("data.jsonl", [{"x": "a"}])
    before = files(restored.home.parent)
    for name in ("../outside", "a/../../outside", "..", "/tmp/x", "..\\..\\outside\0", "x\0y", "."):
        for words in (
            ["run", "create", "--flow", flow, "--data", data, "--name", name],
            ["dataset", "register", data, "--name", name],
        ):
            code, said = in_process(restored, words, capsys)
            assert code == 2, (words, said)
    assert {name: text for name, text in files(restored.home.parent).items() if "__pycache__" not in name} == before


def test_no_name_of_a_deployment_leads_outside(restored: Project, capsys: pytest.CaptureFixture[str]):
    """Deployments, endpoints, environments and use cases: what they are called, and what is asked for."""
    endpoint = restored.home / "deployments" / "local" / "shop-dev"
    (endpoint / "deployments").mkdir(parents=True)
    (endpoint / "endpoint.json").write_text(json.dumps({"port": 9, "shares": {}}))
    swapped = endpoint / "deployments" / "v9"
    outside = restored.home.parent / "outside"
    (outside / "deployment.json").write_text(json.dumps({"version_label": CANARY, "digest": "", "made_at": ""}))
    case = restored.root / "case"
    case.mkdir()
    (case / "deployment.yaml").write_text(
        "environments: {dev: {target: local, endpoint: shop-dev, approval: not_required}}"
    )
    before = files(restored.home.parent)
    for name in (*NAMES, "../..", "../../../..", ""):
        for words in (
            ("deploy", "remove", "case", "--env", "dev", "--deployment"),
            ("deploy", "logs", "case", "--env", "dev", "--deployment"),
            ("endpoint", "test", "--usecase", "case", "--env", "dev", "--deployment"),
            ("deploy", "status", "case", "--target", "local", "--env"),
            ("deploy", "remove", "case", "--env", "dev", "--target"),
            ("deploy", "plan", "case", "--env"),
        ):
            code, said = in_process(restored, [*words, name], capsys)
            assert code == 2, (words, name, said)
            assert CANARY not in said, (words, name)
    swapped.symlink_to(outside, target_is_directory=True)
    assert in_process(restored, ["deploy", "remove", "case", "--env", "dev", "--deployment", "v9"], capsys)[0] == 0
    assert {name: text for name, text in files(restored.home.parent).items() if "rollouts" not in name} == before
    assert not swapped.is_symlink()


@pytest.mark.parametrize("named", ["../outside", "a/b", "..", "/tmp/x", "x\\..\\y"])
def test_no_file_names_an_endpoint_outside(restored: Project, capsys: pytest.CaptureFixture[str], named: str):
    before = files(restored.home.parent)
    for environment, use_case, endpoint in ((named, "shop", "shop-dev"), ("dev", named, ""), ("dev", "shop", named)):
        case = restored.root / "case"
        case.mkdir(exist_ok=True)
        body = {"target": "local", "approval": "not_required", **({"endpoint": endpoint} if endpoint else {})}
        (case / "deployment.yaml").write_text(json.dumps({"environments": {environment: body}}))
        (case / "experiment.yaml").write_text(json.dumps({"name": use_case}))
        for verb in (["status"], ["remove"], ["apply", "--version", "1"]):
            code, said = in_process(restored, ["deploy", verb[0], "case", "--env", environment, *verb[1:]], capsys)
            assert code == 2, (verb, said)
    after = {name: text for name, text in files(restored.home.parent).items() if "/case/" not in f"/{name}"}
    assert after == before


@given(st.text(alphabet="ab./\\:~%\0\n \uff0e\u2215", max_size=12))
def test_a_plain_name_stays_in_its_folder(name: str):
    if is_plain_name(name):
        path = os.path.normpath(f"/root/of/it/{name}")
        assert path.startswith("/root/of/it/")
        assert not set("\\:\0\n") & set(name)
        assert PurePosixPath(name).as_posix() == name


def test_a_record_that_names_another_folder_is_left_out(guarded: Project):
    """A home may come from elsewhere: its records are not believed."""
    home = guarded.home
    run = guarded.json(
        "run",
        "create",
        "--flow",
        guarded.echo_flow(),
        "--data",
        guarded.jsonl("d.jsonl", [{"x": "a"}]),
        "--name",
        "good",
    )
    record = json.loads((Path(run["path"]) / "run.json").read_text())
    taken = home / "runs" / "taken"
    taken.mkdir()
    (taken / "run.json").write_text(json.dumps({**record, "name": "../../outside"}))
    folder = home / "experiments" / "e" / "k"
    folder.mkdir(parents=True)
    guarded.run("store", "migrate")
    assert [each.name for each in SqlStore(home).list_runs(RunQuery())] == ["good"]


def test_an_experiment_that_names_a_run_elsewhere_is_left_out(project: Project):
    key = "20260101_000000_000000"
    folder = project.home / "experiments" / "e" / key
    folder.mkdir(parents=True)
    outside = project.home.parent / "outside"
    outside.mkdir()
    run = {"name": "../../outside", "status": "completed"}
    body = {"name": "e", "key": key, "runs": [run], "variants": {}, "evaluations": {}, "created_at": "2026-01-01"}
    (folder / "experiment.json").write_text(json.dumps(body))
    assert project.json("experiment", "list") == []


def test_a_run_folder_swapped_for_a_link_deletes_nothing_outside(project: Project):
    flow, data = project.echo_flow(), project.jsonl("data.jsonl", [{"x": "a"}])
    run = project.json("run", "create", "--flow", flow, "--data", data, "--name", "swapped")
    outside = project.home.parent / "precious"
    Path(run["path"]).rename(outside)
    Path(run["path"]).symlink_to(outside, target_is_directory=True)
    before = files(outside)
    project.run("run", "delete", "--name", "swapped", "--yes", code=None)
    assert files(outside) == before


def test_a_blob_store_checks_what_it_hands_out(project: Project):
    """A link in a dataset is refused: what it stands for is elsewhere."""
    folder = project.root / "rows"
    folder.mkdir()
    (folder / "a.jsonl").symlink_to("/etc/passwd")
    done = project.run("dataset", "register", "rows", "--name", "rows", code=2)
    assert "plain file" in done.stderr
    with pytest.raises(FlowyardError):
        SqlStore(project.home).get_run("../rows")
