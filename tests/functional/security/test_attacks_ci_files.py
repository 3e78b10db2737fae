"""Hostile names in the files of CI systems: refused when these are written, and only words when they are run.

And what code of a pull request can hand to the job that comments, or get at: nothing but text comes out of it.
"""

from __future__ import annotations

import html
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comment_apis import TOKEN, comment_apis
from functional_helper import flowyard_here
from ruamel.yaml import YAML

from flowyard.pipelines.comments.received import find_reports
from flowyard.reports.markdown_text import literal, table_lines, tamed

_PACKAGES = {"github": "github", "azure-devops": "azure_devops", "jenkins": "jenkins"}
SYSTEMS = [
    system
    for system, package in _PACKAGES.items()
    if importlib.util.find_spec(f"flowyard.pipelines.generate.{package}")
]
PAYLOADS = (
    "$(touch pwned)",
    "`touch pwned`",
    "x'; touch pwned; '",
    'x"; touch pwned; "',
    "x\n  touch pwned",
    "x && touch pwned",
    "${{ github.event.pull_request.title }}",
    "$(Build.SourceBranch)",
    "$[variables.x]",
    "${env.BRANCH_NAME}",
    "x''' + 'touch pwned'.execute() + '''",
    "-rf",
    "../x",
    "x: y",
    "x #",
    "\u202ex",
    "x\x1b[2J",
    "",
)
PLACES = (
    "use_cases: {}",
    "branches: {{main: {}}}",
    "branches: {{development: {}}}",
    "branches: {{release: {}}}",
    "python: {}",
    "install: {{version: {}}}",
    "install: {{extras: [{}]}}",
    "install: {{requirements: {}}}",
    "runners: [{}]",
    "environments: {{dev: {}}}",
    "environments: {{prod: {}}}",
    "secrets: {{dev: [{}]}}",
    "variables: {{prod: [{}]}}",
    "groups: {{dev: {}}}",
    "notify: {}",
    "approvers: [{}]",
    "cloud: {{client: {}}}",
    "cloud: {{service_connection: {}}}",
    "home: {}",
)
SETTINGS = """\
environments: {dev: Development (EU), prod: production}
secrets: {pr: [MODEL_KEY], dev: [MODEL_KEY], prod: [MODEL_KEY]}
variables: {dev: [GREETING], prod: [GREETING]}
cloud: {login: azure}
notify: team@example.org
approvers: [ann@example.org]
use_cases: cases
"""
SCRIPT_KEYS = frozenset({"run", "bash", "script", "inlineScript", "pwsh", "powershell"})
GROOVY_SCRIPT = re.compile(r"'''(.*?)'''", re.DOTALL)
VARIABLE = re.compile(r"\$\{?[!#]?([A-Za-z_][A-Za-z0-9_]*)")
_SHELL_OWN = frozenset({"PATH", "PWD", "HOME", "RUNNER_TEMP", "WORKSPACE_TMP", "FLOWYARD_GIVEN"})
BRANCH = "x$(touch${IFS}pwned)`touch${IFS}pwned`';touch${IFS}pwned;'\";touch${IFS}pwned;\"&&touch${IFS}pwned|*"
"""What git allows as the name of a branch."""
STUB = """\
#!/bin/sh
printf '%s\\n' "$@" >> "$STUB_LOG"
echo '{}'
"""


def generate(system: str, folder: Path, settings: str) -> Any:
    (folder / "pipelines.yaml").write_text(settings, "utf-8")
    return flowyard_here("pipeline", "generate", system, cwd=folder)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_hostile_name_is_written_into_a_file(tmp_path: Path, system: str):
    quoted = [f'"{each.encode("unicode_escape").decode().replace(chr(34), chr(92) + chr(34))}"' for each in PAYLOADS]
    for place in PLACES:
        for payload in quoted:
            done = generate(system, tmp_path, place.format(payload))
            assert done.returncode == 2, (place, payload, done.stdout)
            assert "Traceback" not in done.stderr
            assert not re.search(r"\x1b|\u202e", done.stderr)
    assert [file.name for file in tmp_path.iterdir()] == ["pipelines.yaml"]


def scripts(folder: Path) -> Iterator[tuple[str, str]]:
    """Each script in the generated files, as the shell gets it."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "pipelines.yaml"):
        text = file.read_text("utf-8")
        if file.suffix in (".yml", ".yaml"):
            yield from ((f"{file.name}", each) for each in _below(YAML(typ="safe").load(text)))
        else:
            yield from ((f"{file.name}", each.replace("\\\\", "\\")) for each in GROOVY_SCRIPT.findall(text))


def _below(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SCRIPT_KEYS and isinstance(inner, str):
                yield inner
            else:
                yield from _below(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _below(inner)


@pytest.fixture(scope="module", params=SYSTEMS)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    assert generate(request.param, folder, SETTINGS).returncode == 0
    return folder


def test_no_expression_of_a_ci_system_is_put_into_a_script(generated: Path):
    found = list(scripts(generated))
    assert len(found) > 5
    for name, script in found:
        assert "${{" not in script, name
        assert not re.search(r"\$\([A-Za-z]+\.[A-Za-z.]+\)|\$\[", script), name
    for file in generated.rglob("*"):
        if file.is_file() and file.suffix not in (".yml", ".yaml"):
            text = file.read_text("utf-8")
            assert '"""' not in text, "Groovy fills in what stands between double quotes"
            assert not re.search(r'\b(sh|bat|echo)\b[^\n]*"[^"\n]*\$', GROOVY_SCRIPT.sub("", text)), file


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What scripts call: each only notes its words."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in ("flowyard", "python", "python3", "python3.12", "pip", "git", "gh", "az", "tar", "jq"):
        (folder / program).write_text(STUB)
        (folder / program).chmod(0o755)
    return folder


def words_of(script: str, folder: Path, programs: Path) -> list[str]:
    """The words of all programs that a script calls when each of its variables is the name of a hostile branch."""
    (folder / "temp" / "flowyard" / "bin").mkdir(parents=True)
    (folder / "temp" / "flowyard" / "bin" / "activate").touch()
    own = {"RUNNER_TEMP": "temp", "WORKSPACE_TMP": "temp", "HOME": str(folder), "STUB_LOG": str(folder / "words")}
    hostile = {each: BRANCH for each in VARIABLE.findall(script) if each not in _SHELL_OWN}
    files = {each: str(folder / each) for each in hostile if each in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    path = os.pathsep.join([str(programs), "/usr/bin", "/bin"])
    env = {**hostile, **files, **own, "PATH": path, "FLOWYARD_GIVEN": ""}
    bash = [shutil.which("bash") or "/bin/bash", "-c", script]
    subprocess.run(bash, cwd=folder, env=env, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    log = folder / "words"
    return log.read_text("utf-8").splitlines() if log.exists() else []


def test_hostile_names_stay_words_when_the_scripts_are_run(generated: Path, programs: Path, tmp_path: Path):
    noted = []
    for number, (name, script) in enumerate(scripts(generated)):
        words = words_of(script, tmp_path / str(number), programs)
        assert not list((tmp_path / str(number)).rglob("pwned*")), f"{name}: {script}"
        assert [word for word in words if "touch" in word and BRANCH not in word] == [], f"{name}: {script}"
        noted += words
    assert any(BRANCH in word for word in noted)


def test_a_script_that_does_not_quote_is_found(programs: Path, tmp_path: Path):
    assert words_of('eval "flowyard $NAME"', tmp_path / "eval", programs) != [BRANCH]
    assert (tmp_path / "eval" / "pwned").exists()


REPORT = """\
<!-- flowyard pipeline: shop.pr -->
## ✅ @acme/admins look, #12 gh-13 !14 ann&commat;example.com &#64;bob
| <img src=x onerror=alert(1)> | ![x](https://evil.example/p.png) | [here](https://evil.example) |
<details><summary>x</summary> `code` $\\frac{1}{2}$ :tada: \u202e\x1b[2J <!-- flowyard pipeline: other.pr -->
[1]: https://evil.example
@</sub>bob #</sub>15 <sub>@</sub></sub>bob | <sub>x | @</sub>bob
"""


def test_reports_of_a_pull_request_are_shown_and_nothing_else(tmp_path: Path):
    """Links to what only the commenting job can read, pipes, huge files and a report that wants to do more."""
    received = tmp_path / "received"
    secret = tmp_path / "secret.txt"
    secret.write_text("GITHUB_TOKEN=the-secret")
    for name in ("report", "link", "huge", "pipe", "deep/er/still", "room/summary.md"):
        (received / name).mkdir(parents=True)
    (received / "report/summary.md").write_text(REPORT, "utf-8")
    (received / "link/summary.md").symlink_to(secret)
    (received / "huge/summary.md").write_bytes(b"x" * ((1 << 20) + 1))
    os.mkfifo(received / "pipe/summary.md")
    (received / "deep/er/still/summary.md").write_text("too deep")
    (received / "folder").symlink_to(tmp_path)
    command = "z##vso[task.setvariable variable=PATH]x"
    (received / command).mkdir()
    (received / command / "summary.md").symlink_to(secret)
    (tmp_path / "summary.md").write_text("the-secret")
    with comment_apis() as apis:
        names = {"GITHUB_API_URL": apis.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_REF": "refs/pull/7/merge"}
        given = {**names, "GITHUB_TOKEN": TOKEN, "FLOWYARD_HOME": str(tmp_path / "home")}
        done = flowyard_here("pipeline", "comment", "--reports", str(received), cwd=tmp_path, env=given)
    assert done.returncode == 0, done.stderr
    assert [line.split(" is ")[0] for line in done.stderr.splitlines()] == [
        f"{name}/summary.md"
        for name in ("huge", "link", "pipe", "room", "z#\u200b#vso[task.setvariable variable=PATH]x")
    ]
    (comment,) = apis.comments
    body = comment["body"]
    assert body.startswith("<!-- flowyard pipeline: shop.pr -->\n## ✅ @\u200bacme/admins look, #\u200b12")
    assert body.count("<") == 3, "the comment that it is found by, one pair of tags, and no other HTML"
    for active in ("](", "![", "://", "`", "$", "&commat;", "&#64;", "@bob", "\x1b", "\u202e"):
        assert active not in body, active


@pytest.mark.parametrize(
    "text",
    [
        *("@</sub>bob", "<sub>@</sub></sub>bob", "| <sub>x | @</sub>bob |", "@&#49;bob", "&#35;&#49;5", "#&#49;5"),
        *("gh&#45;15", "GH-&#49;5", "gh</sub>-15", "&#33;15", "x &#35;15", "&#35;</sub>15"),
    ],
)
def test_halves_of_tags_and_letters_by_number_make_no_mention(text: str):
    shown = html.unescape(re.sub(r"<br>|<sub>|</sub>", " ", tamed(text)))
    assert not re.search(r"@\w|[#!]\d|gh-\d", shown, re.IGNORECASE), shown
    assert not re.search(r"<sub>(?![^<|\n]*</sub>)", tamed(text))


def test_that_there_are_too_many_reports_is_told(tmp_path: Path):
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "summary.md").write_text("done")
    *read, rest = find_reports(tmp_path, most=2)
    assert [each.text for each in read] == ["done", "done"]
    assert (rest.place, rest.problem) == ("What follows 1/summary.md", "at most 2 reports are read")


def test_our_own_reports_are_shown_as_they_are():
    shown = "\n".join(["<!-- flowyard: shop.pr -->", *table_lines(["name", "value"], numbers=[1])])
    for text in (*PAYLOADS, BRANCH, "@ann #1 <b>x</b> [a](b) `c` 1. # -", "a_b _c_ ~~d~~ e|f \\ &amp;"):
        shown += f"\n| {literal(text)} | 3<br>[0.1, 0.2] |"
    shown += "\n<sub>flowyard</sub>\n"
    assert html.unescape(tamed(shown)) == html.unescape(shown)
    assert tamed(tamed(shown)) == tamed(shown)


def test_code_of_a_pull_request_gets_no_token_and_a_fork_no_secret(tmp_path: Path):
    """By what is generated: each step that has a token, a secret or a login, and whether the change's code is there."""
    for system in SYSTEMS:
        assert generate(system, tmp_path, f"{SETTINGS}install: {{requirements: ci.txt}}\n").returncode == 0
    azure = YAML(typ="safe").load(tmp_path / ".azure-pipelines/templates/flowyard-run-pr.yml")["steps"]
    assert "System.AccessToken" not in str(azure)
    runs = [step for step in azure if "flowyard pipeline run" in str(step)]
    own, fork = runs
    assert (own["env"]["MODEL_KEY"], own["task"]) == ("$(MODEL_KEY)", "AzureCLI@2")
    assert not re.search("MODEL_KEY|azureSubscription", str(fork))
    assert own["condition"] == "and(succeeded(), ne(variables['System.PullRequest.IsFork'], 'True'))"
    assert fork["condition"] == own["condition"].replace("ne(", "eq(")
    entry = YAML(typ="safe").load(tmp_path / ".azure-pipelines/flowyard-pr-pipeline.yml")
    comment = entry["stages"][0]["jobs"][-1]
    assert comment["steps"][0]["parameters"] == {"base": True}
    base = YAML(typ="safe").load(tmp_path / ".azure-pipelines/templates/flowyard-prepare.yml")["steps"][2]
    assert "git checkout --quiet --force --detach" in str(base)
    assert "Cache@2" not in str(base)
    jenkins = (tmp_path / ".jenkins/Jenkinsfile.pr").read_text()
    assert "credentials('" not in jenkins
    assert jenkins.count("MODEL_KEY") == 2 * jenkins.count("withCredentials(env.CHANGE_FORK ? [] : [string(") == 2
    for name in ("dev", "prod", "post"):
        text = (tmp_path / f".jenkins/Jenkinsfile.{name}").read_text()
        assert text.count("credentials('MODEL_KEY')") == text.count("not { changeRequest() }")
    stages = (tmp_path / ".github/workflows/flowyard-stages.yml").read_text()
    assert "cache: ${{ inputs.environment == '' && 'pip' || '' }}" in stages
    assert "FLOWYARD_APPROVAL_KEY" not in (tmp_path / ".github/workflows/flowyard-pr.yml").read_text()
