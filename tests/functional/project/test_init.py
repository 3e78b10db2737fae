"""A repository for many use cases: made from nothing or beside what is there, never over it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from functional_helper import flowyard, flowyard_here, locked_program
from git_helper import git
from places import ROOT

import flowyard as flowyard_package
from flowyard.errors import ExitCode


def files_below(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A new repository, with all of it in git."""
    done = flowyard_here("init", "flows", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Next: cd flows && flowyard new NAME --template classification\n")
    git(tmp_path / "flows", "init")
    git(tmp_path / "flows", "add", "-A")
    git(tmp_path / "flows", "commit", "-m", "begin")
    return tmp_path / "flows"


def test_it_has_what_people_and_editors_need(repository: Path):
    files = files_below(repository)
    committed = set(git(repository, "ls-files").splitlines())
    assert committed == set(files), "nothing of it is ignored"
    assert committed >= {
        "README.md",
        ".env.example",
        ".gitignore",
        ".devcontainer/devcontainer.json",
        "requirements.txt",
    }
    settings = json.loads(files[".vscode/settings.json"])
    for place, patterns in settings["yaml.schemas"].items():
        jsonschema.Draft202012Validator.check_schema(json.loads(files[place.removeprefix("./")]))
        assert all(pattern.startswith("**/") for pattern in patterns)
    assert "**/experiment.*.yaml" in settings["yaml.schemas"]["./.flowyard/schemas/overlay.json"]
    assert "redhat.vscode-yaml" in json.loads(files[".vscode/extensions.json"])["recommendations"]
    assert json.loads(files[".devcontainer/devcontainer.json"])["build"] == {"dockerfile": "Dockerfile"}
    assert flowyard_here("pipeline", "generate", "github", "--check", cwd=repository).returncode == 0


@pytest.mark.parametrize(
    ("system", "folder"), [("azure-devops", ".azure-pipelines"), ("jenkins", ".jenkins"), ("none", None)]
)
def test_its_ci_files_are_those_of_the_system_that_was_named(system: str, folder: str | None, tmp_path: Path):
    words = ("init", "flows", "--ci", system)
    written = json.loads(flowyard_here(*words, "--json", cwd=tmp_path).stdout)["written"]
    files = files_below(tmp_path / "flows")
    assert {Path(each).relative_to("flows").as_posix() for each in written} == set(files)
    ci = {name for name in files if name.startswith((".github", ".azure-pipelines", ".jenkins"))}
    assert {name.split("/")[0] for name in ci} == ({folder} if folder else set())
    if ci:
        edited = tmp_path / "flows" / min(ci)
        edited.write_text(edited.read_text() + "# mine\n")
        assert "Everything is there already." in flowyard_here(*words, cwd=tmp_path).stdout
        assert edited.read_text().endswith("# mine\n")


def test_a_linter_finds_nothing_in_its_dockerfile(repository: Path):
    words = [locked_program("hadolint"), "--no-color", ".devcontainer/Dockerfile"]
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_its_requirements_are_pinned_to_what_was_tested(repository: Path):
    pins = dict(re.findall(r"^([a-z]+)==(\S+)$", (repository / "requirements.txt").read_text(), re.MULTILINE))
    locked = re.search(r"^pytest==(\S+)", (ROOT / "requirements" / "dev.lock").read_text(), re.MULTILINE)
    assert pins == {"flowyard": flowyard_package.__version__, "pytest": locked[1]}


def test_a_use_case_is_added_and_run_and_nothing_of_a_run_or_a_secret_is_seen_by_git(repository: Path):
    assert flowyard_here("new", "notes", "--template", "prompty", cwd=repository).returncode == 0
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "notes")
    (repository / ".env").write_text("ASSISTANT_MODEL_API_KEY=x\n")
    done = flowyard("experiment", "run", "notes", "--env", "pr", "--simulate", "notes/simulation.yaml", cwd=repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / ".flowyard" / "runs").is_dir()
    assert git(repository, "status", "--porcelain") == ""


def test_done_twice_nothing_is_written(repository: Path):
    before = files_below(repository)
    done = flowyard_here("init", ".", "--json", cwd=repository)
    assert json.loads(done.stdout) == {"folder": ".", "written": [], "kept": []}
    said = flowyard_here("init", ".", cwd=repository).stdout.splitlines()
    assert said == ["Everything is there already.", "Next: flowyard new NAME --template classification"]
    assert files_below(repository) == before


def test_files_that_are_there_are_never_overwritten_unless_they_are_named(tmp_path: Path):
    git(tmp_path, "init")
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").write_text("mine too")
    (tmp_path / "code.py").write_text("x = 1")
    before = files_below(tmp_path)
    refused = flowyard_here("init", ".", cwd=tmp_path)
    assert refused.returncode == ExitCode.WRONG_INPUT
    assert "--force .gitignore --force README.md" in refused.stderr
    assert files_below(tmp_path) == before
    kept = json.loads(flowyard_here("init", ".", "--keep", "--force", "README.md", "--json", cwd=tmp_path).stdout)
    assert kept["kept"] == [".gitignore"]
    after = files_below(tmp_path)
    assert after[".gitignore"] == b"mine too"
    assert after["README.md"] != b"mine"
    assert after["code.py"] == b"x = 1"


def test_what_is_not_written_cannot_be_forced(tmp_path: Path):
    (tmp_path / "code.py").write_text("x = 1")
    done = flowyard_here("init", ".", "--force", "code.py", cwd=tmp_path)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert files_below(tmp_path) == {"code.py": b"x = 1"}


@pytest.mark.parametrize("link", [".vscode", "README.md", ".flowyard"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / link).symlink_to(outside)
    done = flowyard_here("init", "inside", "--keep", "--force", "README.md", cwd=tmp_path)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert files_below(outside) == {}
    assert [path.name for path in inside.iterdir()] == [link]


def test_schemas_are_listed_shown_and_written(tmp_path: Path):
    listed = json.loads(flowyard_here("schema", "list", "--json", cwd=tmp_path).stdout)
    assert "deployment.yaml" in [file for each in listed for file in each["files"]]
    assert "experiment.*.yaml" in flowyard_here("schema", "list", cwd=tmp_path).stdout
    shown = json.loads(flowyard_here("schema", "show", "deployment.yaml", cwd=tmp_path).stdout)
    for said in ("Wrote schemas/deployment.json\n", "Everything is there already.\n"):
        assert said in flowyard_here("schema", "write", "schemas", cwd=tmp_path).stdout
    assert json.loads((tmp_path / "schemas" / "deployment.json").read_text()) == shown
    assert len(list((tmp_path / "schemas").iterdir())) == len(listed)
    assert flowyard_here("schema", "show", "deploiment", cwd=tmp_path).returncode == ExitCode.WRONG_INPUT


def test_inside_a_repository_no_other_one_is_suggested(tmp_path: Path):
    alone = flowyard_here("init", "alone", cwd=tmp_path)
    assert "git -C alone init" in alone.stdout
    git(tmp_path, "init")
    inside = flowyard_here("init", "inside", cwd=tmp_path)
    assert (inside.returncode, " init -b" in inside.stdout) == (0, False), inside.stdout
