"""``flowyard pipeline comment``: one comment on a pull request, updated in place, and never more than is permitted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comment_apis import BOT, TOKEN, CommentApis, comment_apis
from functional_helper import Completed, flowyard_here

MARKER = "<!-- flowyard pipeline: shop.pr -->"


@pytest.fixture
def apis() -> Iterator[CommentApis]:
    with comment_apis() as made:
        yield made


class Job:
    """A job of a CI system that comments."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables = folder, variables

    def __call__(self, text: str, **variables: str) -> tuple[Completed, Any]:
        file = self.folder / "report.md"
        file.write_text(text)
        words = ("pipeline", "comment", "--file", str(file), "--json")
        done = flowyard_here(*words, cwd=self.folder, env={**self.variables, **variables})
        assert TOKEN not in done.stdout + done.stderr
        return done, json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def github(apis: CommentApis, tmp_path: Path) -> Job:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    names = {"GITHUB_API_URL": apis.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_EVENT_PATH": str(event)}
    return Job(tmp_path, {**names, "GITHUB_TOKEN": TOKEN, "FLOWYARD_HOME": str(tmp_path / "home")})


@pytest.fixture
def azure_devops(apis: CommentApis, tmp_path: Path) -> Job:
    names = {"SYSTEM_COLLECTIONURI": f"{apis.address}/", "SYSTEM_TEAMPROJECT": "project x"}
    more = {"BUILD_REPOSITORY_ID": "repo-id", "SYSTEM_PULLREQUEST_PULLREQUESTID": "7", "SYSTEM_ACCESSTOKEN": TOKEN}
    return Job(tmp_path, {**names, **more, "FLOWYARD_HOME": str(tmp_path / "home")})


def test_github_has_one_comment_that_is_updated(github: Job, apis: CommentApis):
    apis.comments += [{"id": each + 1, "user": {"login": "eve", "type": "User"}, "body": "hi"} for each in range(150)]
    apis.comments[120]["body"] = f"{MARKER}\nnot ours"
    assert github(f"{MARKER}\nfirst")[1]["how"] == "created"
    assert github(f"{MARKER}\nfirst")[1]["how"] == "unchanged"
    assert github(f"{MARKER}\nsecond")[1]["how"] == "updated"
    assert github("no marker at all")[1]["how"] == "created"
    assert [each["body"] for each in apis.comments if each["user"] == BOT] == [
        f"{MARKER}\nsecond",
        "<!-- flowyard -->\nno marker at all",
    ]
    assert apis.comments[120]["body"].endswith("not ours")
    apis.owner = "eve"  # a token of a person
    assert github(f"{MARKER}\nthird")[1]["how"] == "updated"
    assert apis.comments[120]["body"].endswith("third")


def test_reports_of_a_change_become_one_comment(github: Job, apis: CommentApis):
    """However many use cases it touches; what was stopped comes first, and nobody is left out for want of room."""
    for number in range(40):
        said = "❌ Stopped" if number == 30 else "✅ Done"
        rows = "| a row of a report that is rather long |\n" * 60
        folder = github.folder / "artifacts" / f"reports-{number}"
        folder.mkdir(parents=True)
        marker = f"<!-- flowyard pipeline: uc{number}.pr -->"
        (folder / "summary.md").write_text(f"{marker}\n## {said}: uc{number} · pr\n\n{rows}")
    again = github.folder / "artifacts" / "reports-30" / "uc30"
    again.mkdir()
    (again / "summary.md").write_text((again.parent / "summary.md").read_text())
    words = ("pipeline", "comment", "--together", "pr", "--reports", "artifacts", "--json")
    for how in ("created", "unchanged"):
        done = flowyard_here(*words, cwd=github.folder, env=github.variables)
        assert [each["how"] for each in json.loads(done.stdout)] == [how], done.stderr
    (body,) = (str(each["body"]) for each in apis.comments)
    assert body.startswith("<!-- flowyard pipeline: pr -->\n- ❌ Stopped: uc30 · pr\n- ✅ Done: uc0 · pr\n")
    assert len(body) < 65_536
    assert [body.count(f"## ✅ Done: uc{number} ·") for number in range(40) if number != 30] == [1] * 39
    assert body.index("## ❌ Stopped: uc30") < body.index("## ✅ Done: uc0")
    alone = ("pipeline", "comment", "--together", "pr", "--reports", "artifacts/reports-3")
    one = flowyard_here(*alone, cwd=github.folder, env=github.variables)
    assert one.returncode == 0
    assert str(apis.comments[0]["body"]).startswith("<!-- flowyard pipeline: pr -->\n## ✅ Done: uc3 · pr\n")
    report = "artifacts/reports-3/summary.md"
    for wrong in (("--together", "pr", "--file", report), ("--together", "a -->", "--reports", "artifacts")):
        assert flowyard_here("pipeline", "comment", *wrong, cwd=github.folder, env=github.variables).returncode == 2


def test_azure_devops_has_one_thread_that_is_updated(azure_devops: Job, apis: CommentApis):
    others = [{"id": 1, "content": f"{MARKER}\nnot ours", "author": {"id": "eve"}}]
    apis.threads.append({"id": 1, "status": 1, "comments": others})
    for text, how in (("first", "created"), ("first", "unchanged"), ("second", "updated")):
        assert azure_devops(f"{MARKER}\n{text}")[1]["how"] == how
    assert [thread["comments"][0]["content"] for thread in apis.threads] == [
        f"{MARKER}\nnot ours",
        f"{MARKER}\nsecond",
    ]
    assert apis.threads[1]["status"] == 4


def test_what_is_too_long_is_cut_and_told(github: Job, apis: CommentApis):
    done, _ = github(f"{MARKER}\n" + "😀 a line of some length\n" * 5_000)
    assert done.returncode == 0
    (made,) = apis.comments
    assert len(made["body"].encode("utf-16-le")) // 2 <= 65_536
    assert made["body"].startswith(MARKER)
    assert "does not fit" in made["body"]


def test_a_fork_writes_the_summary_only(github: Job, apis: CommentApis, tmp_path: Path):
    apis.refusal = 403
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done, said = github(f"{MARKER}\ntext", GITHUB_STEP_SUMMARY=str(summary))
    assert (done.returncode, said["how"]) == (0, None)
    assert "forks" in said["said"]
    assert summary.read_text() == f"before\n{MARKER}\ntext"
    apis.headers = {"Retry-After": "60"}
    limited, _ = github(f"{MARKER}\ntext")
    assert limited.returncode == 5


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"GITHUB_EVENT_PATH": "", "GITHUB_REF": "refs/heads/main"}, "no pull request"),
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_REPOSITORY": ""}, "no job of"),
    ],
)
def test_without_a_pull_request_nothing_is_commented(
    github: Job, apis: CommentApis, changes: dict[str, str], text: str
):
    done, said = github("text", **changes)
    assert done.returncode == 0
    assert text in said["said"]
    assert apis.asked == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"GITHUB_REPOSITORY": "../../x"}, 2),
        ({"GITHUB_API_URL": "http://example.org"}, 2),
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, 5),
        ({"GITHUB_TOKEN": "another"}, 5),
    ],
)
def test_what_cannot_be_is_told_without_the_token(github: Job, changes: dict[str, str], code: int):
    done, _ = github("text", **changes)
    assert done.returncode == code
    assert "another" not in done.stderr


def test_the_ref_names_the_pull_request_too(github: Job, apis: CommentApis):
    github("text", GITHUB_EVENT_PATH="", GITHUB_REF="refs/pull/7/merge")
    assert len(apis.comments) == 1
