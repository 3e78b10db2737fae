"""Which use cases a change touches, with real git and hostile names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from pipeline_helper import Repository

from flowyard.cli.pipeline.process import run_command


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two use cases on the branch development, and a branch for a feature."""
    made = Repository(tmp_path / "repository")
    made.use_case("shop")
    made.use_case("triage")
    made.write("cases/triage/experiment.yaml", _own_data(made.root / "cases/triage/experiment.yaml"))
    made.write("cases/triage/data.jsonl", '{"x": "tea"}\n')
    made.write("requirements.txt", "\n")
    made.write("docs/page.md", "words\n")
    made.commit()
    made.git("checkout", "-q", "-b", "feature")
    return made


def _own_data(file: Path) -> str:
    return file.read_text().replace("../../shared/orders.jsonl", "data.jsonl")


def touched(repository: Repository, since: str = "development", pipeline: str = "pr") -> list[str]:
    done = repository.here("pipeline", "plan", pipeline, "--changed-since", since, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    matrix = json.loads(done.stdout)
    assert list(matrix) == ["include"]
    return [each["usecase"] for each in matrix["include"]]


def test_what_a_change_touches(repository: Repository):
    assert touched(repository) == []
    repository.write("docs/page.md", "other words\n")
    repository.commit()
    assert touched(repository) == []
    repository.write("cases/shop/flow/work.py", "x = 1\n")
    assert touched(repository) == ["cases/shop"], "not committed yet"
    repository.commit()
    assert touched(repository) == ["cases/shop"]
    repository.git("checkout", "-q", "-b", "other", "development")
    repository.write("shared/orders.jsonl", "{}\n")
    repository.commit()
    assert touched(repository) == ["cases/shop"], "its data, outside of its folder"
    assert touched(repository, "feature") == ["cases/shop"], "from where the two parted"
    repository.git("rm", "-q", "shared/orders.jsonl")
    repository.commit()
    assert touched(repository) == ["cases/shop"]
    repository.write("requirements.txt", "httpx\n")
    assert touched(repository) == ["cases/shop", "cases/triage"]
    assert touched(repository, "0" * 40) == ["cases/shop", "cases/triage"]


def test_includes_links_and_code_of_others(repository: Repository):
    flow = repository.root / "cases/triage/flow/flow.dag.yaml"
    flow.write_text(flow.read_text() + "additional_includes:\n- ../../../libs/text\n")
    repository.write("libs/text/words.yaml", "rules: ../rules/all.yaml\n")
    repository.write("libs/rules/all.yaml", "a: 1\n")
    (repository.root / "cases/shop/linked").symlink_to("../../libs/linked")
    repository.write("libs/linked/x.txt", "x\n")
    repository.commit()
    base = repository.git("rev-parse", "HEAD")
    for path, expected in {
        "libs/text/deep/new.txt": ["cases/triage"],
        "libs/rules/all.yaml": ["cases/triage"],
        "libs/linked/x.txt": ["cases/shop"],
        "libs/texts.txt": [],
        "libs/imported.py": ["cases/shop", "cases/triage"],
        "docs/conf.py": [],
    }.items():
        repository.write(path, "b: 2\n")
        assert touched(repository, base) == expected, path
        repository.git("stash", "-q", "--include-untracked")


def test_renamed_and_deleted_use_cases(repository: Repository):
    repository.git("mv", "cases/shop", "cases/store")
    repository.commit()
    done = repository.here("pipeline", "plan", "pr", "--changed-since", "development", "--json")
    assert [each["usecase"] for each in json.loads(done.stdout)["include"]] == ["cases/store"]
    assert "cases/shop" in done.stderr
    repository.git("rm", "-q", "-r", "cases/store")
    repository.commit()
    assert touched(repository) == []


def test_what_cannot_be_read_holds_up_no_other(repository: Repository):
    """Its own job says what is wrong."""
    repository.write("cases/broken/experiment.yaml", "name: [\n")
    repository.write("cases/example/experiment.yaml", "name: <experiment_name>\n")
    repository.write("cases/triage/deployment.yaml", "environments: {prod: 7}\n")
    base = repository.commit()
    repository.write("requirements.txt", "httpx\n")
    everything = ["cases/broken", "cases/example", "cases/shop", "cases/triage"]
    assert touched(repository, base) == everything
    assert touched(repository, base, "prod") == ["cases/shop", "cases/triage"]
    asking = repository.here("pipeline", "plan", "prod", "--asking", "--json")
    assert [each["usecase"] for each in json.loads(asking.stdout)["include"]] == ["cases/shop", "cases/triage"]
    done = repository("pipeline", "run", "pr", "cases/example", "--until", "validate", "--json")
    assert done.returncode == 2
    done = repository.here("release", "run", "cases/example", "--env", "dev")
    assert (done.returncode, "experiment.yaml:1" in done.stderr) == (2, True)
    repository.write("pipelines.yaml", "leave_out: [cases/broken, cases/example]\n")
    assert touched(repository, base) == ["cases/shop", "cases/triage"]
    repository.write("pipelines.yaml", "use_cases: cases/shop\nleave_out: [../x]\n")
    refused = repository.here("pipeline", "plan", "pr")
    assert (refused.returncode, "leads out of the repository" in refused.stderr) == (2, True)
    repository.write("pipelines.yaml", "use_cases: case\n")
    refused = repository.here("pipeline", "plan", "pr")
    assert (refused.returncode, "no folder case" in refused.stderr) == (2, True), "else nothing would be checked"
    repository.write("pipelines.yaml", "use_cases: cases/shop\n")
    assert touched(repository, base) == ["cases/shop"]


def test_more_jobs_than_github_takes_are_told(repository: Repository):
    for number in range(255):
        repository.write(f"more/m{number}/experiment.yaml", f"name: m{number}\n")
    done = repository.here("pipeline", "plan", "pr", "--json")
    assert len(json.loads(done.stdout)["include"]) == 257
    assert "at most 256 jobs" in done.stderr


def test_names_of_files_and_deleted_use_cases_are_no_commands(repository: Repository):
    """A branch may bring and take away folders of any name; what CI systems carry out stands in their logs."""
    repository.use_case("other", folder="cases/##vso[task.setvariable variable=x]y")
    base = repository.commit()
    repository.git("rm", "-q", "-r", "cases/##vso[task.setvariable variable=x]y")
    repository.write("cases/shop/##vso[task.complete]x", "x")
    repository.commit()
    done = repository.here("pipeline", "plan", "pr", "--changed-since", base)
    assert "Not there any more" in done.stderr
    assert "vso[task.complete]x" in done.stdout
    assert "##vso[" not in done.stdout + done.stderr


def test_a_stage_takes_no_code_from_the_folder_that_it_is_run_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "click.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    assert run_command(["schema", "list", "--json"], 300).code == 0


def test_the_forms_of_the_matrix(repository: Repository):
    words = ("pipeline", "plan", "dev", "--json")
    assert json.loads(repository.here(*words).stdout)["include"][0] == {"usecase": "cases/shop", "name": "shop"}
    azure = json.loads(repository.here(*words, "--for", "azure-devops").stdout)
    assert azure == {
        "shop": {"usecase": "cases/shop", "name": "shop"},
        "triage": {"usecase": "cases/triage", "name": "triage"},
    }
    assert repository.here(*words).stdout == repository.here(*words, cwd=repository.root / "docs").stdout
    (repository.root / "cases/shop/deployment.yaml").unlink()
    assert [
        each["name"] for each in json.loads(repository.here("pipeline", "plan", "prod", "--json").stdout)["include"]
    ] == ["triage"]


def test_hostile_names_are_data(repository: Repository, tmp_path: Path):
    hostile = [
        "$(touch pwned)",
        "-rf",
        "a b;c",
        "::set-output name=x::y",
        "##vso[task.setvariable]x",
        "\x1b[31m",
        "'\"`",
    ]
    for name in hostile:
        repository.write(f"cases/shop/{name}", "x")
        repository.write(f"docs/{name}.md", "x")
    repository.write("docs/line\nbreak.md", "x")
    repository.commit()
    assert touched(repository) == ["cases/shop"]
    repository.git("branch", "--", "$(touch_pwned)", "development")
    assert touched(repository, "$(touch_pwned)") == ["cases/shop"]
    shown = repository.here("pipeline", "plan", "pr", "--changed-since", "development")
    assert "\x1b" not in shown.stdout
    for since in ("--output=pwned", "-q", "no such\nbranch", "", "\x1b[31m", "HEAD~999"):
        done = repository.here("pipeline", "plan", "pr", f"--changed-since={since}", "--json")
        assert (done.returncode, done.stdout) == (2, ""), since
        assert "\x1b" not in done.stderr
    repository.use_case("evil", folder="cases/$(touch pwned)")
    done = repository.here("pipeline", "plan", "pr", "--changed-since", "development", "--json")
    assert (done.returncode, "cases/$(touch pwned)" in done.stderr) == (0, True), done.stderr
    assert "pwned)" not in done.stdout
    assert not list(tmp_path.rglob("pwned"))
    shop, evil = sorted(json.loads(done.stdout)["include"], key=lambda each: str(each["name"] == "evil"))
    assert (shop["usecase"], evil["name"]) == ("cases/shop", "evil")
    assert repository.here("pipeline", "install", evil["usecase"]).returncode == 0
    ran = repository.here("pipeline", "run", "pr", evil["usecase"], "--until", "validate")
    assert (ran.returncode, "CI systems and shells may take" in ran.stderr) == (2, True), ran.stderr


def test_two_use_cases_of_one_name_fail_alone(repository: Repository):
    repository.write("cases/again/experiment.yaml", "name: shop\n")
    repository.commit()
    assert touched(repository) == ["cases/again"]
    done = repository.here("pipeline", "plan", "pr", "--json")
    listed = json.loads(done.stdout)["include"]
    assert [each["usecase"] for each in listed] == ["cases/again", "cases/shop", "cases/triage"]
    assert [each["name"] for each in listed] == ["cases_again", "cases_shop", "triage"]
    assert "Two use cases are called 'shop': cases/shop and cases/again" in done.stderr
    alone = repository.here("pipeline", "run", "pr", "cases/shop", "--until", "validate")
    assert (alone.returncode, "Two use cases are called 'shop'" in alone.stderr) == (2, True)
    ran = repository.here("pipeline", "run", "pr", "--until", "validate", "--json")
    states = {each["usecase"]: each["state"] for each in json.loads(ran.stdout)["usecases"]}
    assert states == {"cases/again": "refused", "cases/shop": "refused", "cases/triage": "unfinished"}
    assert ran.returncode == 2


def test_a_shallow_clone_says_what_to_do(repository: Repository, tmp_path: Path):
    repository.write("cases/shop/new.txt", "x")
    repository.commit()
    clone = tmp_path / "clone"
    source = f"file://{repository.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "feature", source, clone], check=True, timeout=60)
    for since in ("origin/development", repository.git("rev-parse", "development")):
        done = repository.here("pipeline", "plan", "pr", "--changed-since", since, cwd=clone)
        assert done.returncode == 2
        assert "git fetch --unshallow" in done.stderr
    misspelt = repository.here("pipeline", "plan", "pr", "--changed-since", "origin/develop")
    assert "git fetch origin develop\n" in misspelt.stderr, "what the remote itself calls it"
    outside = tmp_path / "outside"
    outside.mkdir()
    done = repository.here("pipeline", "plan", "pr", "--changed-since", "x", cwd=outside)
    assert "no git repository" in done.stderr
    assert repository.here("pipeline", "plan", "pr", "--json", cwd=outside).stdout == '{"include": []}\n'


def test_what_people_see(repository: Repository):
    repository.write("cases/shop/flow/work.py", "x = 1\n")
    shown = repository.here("pipeline", "plan", "pr", "--changed-since", "development").stdout
    assert "cases/shop/flow/work.py" in shown
    for name in ("pr", "dev", "prod", "post"):
        text = repository.here("pipeline", "show", name).stdout
        assert "flowyard" in text
    found = json.loads(repository.here("pipeline", "show", "dev", "--json").stdout)
    assert [job["name"] for job in found["jobs"]] == ["ci", "cd"]
    assert found["jobs"][1]["environment"] == "dev"
