"""What exists is taken in: flows byte for byte, repositories where they are, and all that is left to do has a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, EXAMPLE, RULES, flowyard, flowyard_here
from template_repository import write_repository

from flowyard._util.yamlfile import read_yaml
from flowyard.deploy.config.read import read_deploy_config
from flowyard.errors import ExitCode
from flowyard.schemas import find_schema

PROMPTY = """\
---
name: Greeter
model:
  api: chat
  configuration: {connection: my_model, model: small}
inputs:
  who: {type: string}
sample: {who: Ann}
---
system:
You greet.
user:
{{ who }}
"""

TEMPLATE_ENTRY = {
    "ENV_NAME": "dev",
    "TEST_FILE_PATH": "sample-request.json",
    "ENDPOINT_NAME": "letters",
    "CURRENT_DEPLOYMENT_NAME": "blue",
    "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION": "60",
    "DEPLOYMENT_VM_SIZE": "Standard_DS3_v2",
    "DEPLOYMENT_INSTANCE_COUNT": 2,
    "ENVIRONMENT_VARIABLES": {
        "OTHER_API_KEY": "sk-in-a-file",
        "LEVEL": "5",
        "ORDERS": "postgresql://shop:sk-in-a-file@db.example/orders",
        "BLOBS": "AccountName=a;AccountKey=sk-in-a-file;",
    },
}


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def adopted(*words: str | Path, cwd: Path) -> Any:
    done = flowyard_here("adopt", *words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def require_valid(folder: Path) -> None:
    for name in ("experiment.yaml", "deployment.yaml"):
        jsonschema.validate(read_yaml(folder / name).data, find_schema(name).schema())


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A flow with data of its own, and with files that nobody should copy."""
    folder = tmp_path / "elsewhere" / "Ask Me"
    folder.mkdir(parents=True)
    (folder / "flow.dag.yaml").write_text(ASK_FLOW)
    (folder / "ask.jinja2").write_text(ASK_TEMPLATE)
    (folder / "questions.csv").write_bytes(b"number,question\r\n1,What is the capital of Peru?\r\n2,And of Chad?\r\n")
    (folder / ".env").write_text("MY_MODEL_API_KEY=sk-secret\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (tmp_path / "rules.yaml").write_text(RULES)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "repository" / ".flowyard").mkdir(parents=True)
    return tmp_path / "repository"


def test_a_flow_becomes_a_use_case_that_runs(flow: Path, repository: Path):
    before = files_below(flow)
    view = adopted(flow, cwd=repository)
    made = files_below(repository / "ask_me")
    kept = {name.removeprefix("flows/Ask_Me/"): text for name, text in made.items() if name.startswith("flows/")}
    assert kept == {name: before[name] for name in ("flow.dag.yaml", "ask.jinja2", "questions.csv")}
    assert files_below(flow) == before
    assert sorted(view["files"]) == sorted(f"ask_me/{name}" for name in made)
    require_valid(repository / "ask_me")
    places = {each["found"]: each["where"] for each in view["mapped"]}
    assert places["input question"] == "ask_me/flows/Ask_Me/flow.dag.yaml:2", "a path from here"
    assert places["connection my_model"] == "ask_me/flows/Ask_Me/flow.dag.yaml:6"
    assert json.loads(made["sample-request.json"]) == {"question": "What is the capital of Peru?"}
    rules = ("--simulate", "../rules.yaml")
    done = flowyard("experiment", "run", "ask_me", *rules, "--json", cwd=repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"


def test_a_dry_run_says_the_same_and_writes_nothing(flow: Path, repository: Path):
    planned = adopted(flow, "--name", "other", "--dry-run", cwd=repository)
    assert planned["written"] == []
    assert not (repository / "other").exists()
    shown = flowyard_here("adopt", flow, "--dry-run", cwd=repository).stdout
    assert "input question → column question of flows/Ask_Me/questions.csv" in shown
    assert "This would write 6 files" in shown
    done = adopted(flow, "--name", "other", cwd=repository)
    assert {**done, "written": []} == planned
    assert len(done["written"]) == len(done["files"]) == 6


def test_keys_and_logins_are_not_copied_and_all_are_told(flow: Path, repository: Path):
    """Neither by their names nor by what is in them; code is copied, because nothing would run without it."""
    key = "sk-abcdefghijklmnop"
    texts = {
        **dict.fromkeys((".ssh/id_rsa", ".netrc", "Server.KEY", ".aws/credentials"), "x"),
        "client.pem": "-----BEGIN RSA PRIVATE KEY-----\n",
        "model.yaml": f"name: my_model\napi_key: {key}\n",
        "numbers.csv": f"number,question\n1,{key}\n",
    }
    for name, text in {**texts, "help.py": f"# {key}\n", "ca.pem": "-----BEGIN CERTIFICATE-----\n"}.items():
        (flow / name).parent.mkdir(exist_ok=True)
        (flow / name).write_text(text)
    view = adopted(flow, cwd=repository)
    copied = repository / "ask_me" / "flows" / "Ask_Me"
    assert set(files_below(copied)) == {"flow.dag.yaml", "ask.jinja2", "questions.csv", "help.py", "ca.pem"}
    told = {each["where"].removeprefix("ask_me/flows/Ask_Me/") for each in view["left"]}
    assert told >= {"help.py:1", *(f"{name}:1" for name in texts)}
    assert key not in json.dumps(view)


def test_a_folder_that_is_too_large_is_refused_before_it_is_read(flow: Path, repository: Path):
    with (flow / "weights.bin").open("wb") as file:
        file.truncate(513 << 20)
    done = flowyard_here("adopt", flow, cwd=repository)
    assert done.returncode == 2
    assert "weights.bin" in done.stderr
    assert ".flowyardignore" in done.stderr


def test_what_is_there_is_not_overwritten(flow: Path, repository: Path):
    (repository / "ask_me").mkdir()
    done = flowyard_here("adopt", flow, cwd=repository)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert files_below(repository) == {}


def test_a_prompty_brings_its_sample(tmp_path: Path, repository: Path):
    (tmp_path / "greet.prompty").write_text(PROMPTY)
    view = adopted(tmp_path / "greet.prompty", cwd=repository)
    require_valid(repository / "greet")
    assert read_yaml(repository / "greet" / "experiment.yaml").data["flow"] == "flows/greet/greet.prompty"
    assert read_yaml(repository / "greet" / "deployment.yaml").data["environments"]["dev"]["connections"] == [
        "my_model"
    ]
    assert json.loads((repository / "greet" / "data" / "greet.jsonl").read_text()) == {"who": "Ann"}
    assert any("so this line is an example" in each["message"] for each in view["left"])


def test_the_inputs_of_a_flex_flow_that_declares_none_are_its_sample(tmp_path: Path, repository: Path):
    folder = tmp_path / "shout"
    folder.mkdir()
    (folder / "flow.flex.yaml").write_text("entry: shout:shout\nsample: {inputs: {text: hello}}\n")
    (folder / "shout.py").write_text("def shout(text: str):\n    return text.upper()\n")
    view = adopted(folder, cwd=repository)
    assert any("in the code" in each["message"] for each in view["left"])
    done = flowyard("experiment", "run", "shout", "--json", cwd=repository)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_flow_that_needs_files_from_elsewhere_is_refused(flow: Path, repository: Path):
    (flow.parent / "shared.txt").write_text("x")
    (flow / "flow.dag.yaml").write_text("additional_includes: [../shared.txt]\n" + ASK_FLOW)
    done = flowyard_here("adopt", flow, cwd=repository)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert "outside of its folder" in done.stderr
    assert files_below(repository) == {}


def test_a_folder_without_a_flow_names_those_below_it(repository: Path):
    done = flowyard_here("adopt", EXAMPLE / "flows", cwd=repository)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert f"flowyard adopt {EXAMPLE / 'flows' / 'triage'}" in done.stderr
    assert flowyard_here("adopt", repository / "nowhere", cwd=repository).returncode == ExitCode.WRONG_INPUT


def test_a_repository_of_the_template_stays_and_gets_what_it_lacks(tmp_path: Path):
    root = write_repository(tmp_path / "mail")
    config = {"azure_managed_endpoint": [TEMPLATE_ENTRY], "webapp_endpoint": [{"ENV_NAME": "dev", "WEB_APP_NAME": "w"}]}
    (root / "letters" / "configs" / "deployment_config.json").write_text(json.dumps(config, indent=1))
    (root / "letters" / "sample-request.json").write_text('{"text": "x"}')
    before = files_below(root)
    planned = adopted(root, "--dry-run", cwd=tmp_path)
    assert files_below(root) == before
    assert planned["files"] == [".flowyard/.gitignore", "letters/deployment.yaml", "MIGRATION.md"]
    view = adopted(root, cwd=tmp_path)
    assert {**view, "written": []} == planned
    after = files_below(root)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"letters/experiment.yaml", "letters/experiment.prod.yaml"}
    assert all(after[f"{name}.before-migration"] == before[name] for name in changed)
    assert set(after) - set(before) == {
        "MIGRATION.md",
        ".flowyard/.gitignore",
        "letters/deployment.yaml",
        *(f"{name}.before-migration" for name in changed),
    }
    (environment,) = read_deploy_config(root / "letters").environments
    assert (environment.name, environment.target, environment.traffic) == ("dev", "azure-ml", 60)
    assert (environment.instances, environment.endpoint) == (2, "letters")
    assert environment.variables == {
        **{name: f"${{{name}}}" for name in ("OTHER_API_KEY", "ORDERS", "BLOBS")},
        "LEVEL": "5",
    }
    assert environment.options["instance_type"] == "Standard_DS3_v2"
    assert b"sk-in-a-file" not in after["letters/deployment.yaml"]
    assert "sk-in-a-file" not in json.dumps(view)
    said = [(each["where"], each["message"]) for each in view["left"]]
    config = "letters/configs/deployment_config.json"
    assert (f"{config}:20", "'dev' is there already; deployment.yaml has one place for each environment.") in said
    assert any(place == "talk/configs/deployment_config.json:1" for place, _ in said)
    assert all(place.rpartition(":")[2].isdigit() for place, _ in said)
    assert not any("--write" in each["advice"] for each in view["left"])
    again = flowyard_here("adopt", ".", cwd=root).stdout
    assert str(tmp_path) not in again
    assert "nothing is written" in again


def test_paths_are_said_from_here_and_a_broken_deployment_file_is_said(tmp_path: Path):
    root = write_repository(tmp_path / "mail")
    (root / "letters" / "configs" / "deployment_config.json").rename(root / "letters" / "deployment_config.json")
    (root / "letters" / "deployment_config.json").write_text('{"azure_managed_endpoint": [\n')
    survey = flowyard_here("migrate", ".", cwd=root).stdout
    assert "letters/deployment_config.json:2: Not valid JSON" in survey
    dry = flowyard_here("adopt", ".", "--dry-run", cwd=root).stdout
    assert "This would write 2 files and change 2 files" in dry
    assert "letters/deployment_config.json:1: No deployment.yaml is made of it" in dry
    done = flowyard_here("adopt", ".", cwd=root)
    assert "Wrote MIGRATION.md" in done.stdout
    assert "Try it: flowyard experiment run letters --dry-run" in done.stdout
    assert str(tmp_path) not in done.stdout


def test_a_repository_that_is_not_of_the_template_gets_no_page_about_it(repository: Path, flow: Path):
    adopted(flow, "--name", "asked", cwd=repository)
    assert adopted(".", "--dry-run", cwd=repository)["files"] == [".flowyard/.gitignore"]
    adopted(".", cwd=repository)
    assert adopted(".", cwd=repository)["written"] == []
    assert not (repository / "MIGRATION.md").exists()


def test_an_entry_that_the_reader_would_refuse_is_left_out_and_said(tmp_path: Path):
    root = write_repository(tmp_path / "mail")
    config = {"azure_managed_endpoint": [{**TEMPLATE_ENTRY, "ENDPOINT_NAME": "no_such-name_"}]}
    (root / "letters" / "configs" / "deployment_config.json").write_text(json.dumps(config))
    (root / "letters" / "sample-request.json").write_text('{"text": "x"}')
    view = adopted(root, cwd=tmp_path)
    assert not (root / "letters" / "deployment.yaml").exists()
    assert any("'dev' is not in deployment.yaml" in each["message"] for each in view["left"])
