"""What is never registered, and ignore files as git reads them."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.registry.ignore import is_never_kept
from flowyard.registry.registry import dataset_draft
from flowyard.registry.tree import iter_files

NEVER = [
    *(".env", "dev.env", ".git/config", ".flowyard/flowyard.db", ".promptflow/flow.tools.json", "a/__pycache__/b.pyc"),
    *("deep/.env", "a/b.pyc", ".venv/bin/python", "node_modules/x/index.js", ".DS_Store", ".runs/1/run.json"),
]


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def kept(folder: Path) -> list[str]:
    return sorted(name for name, _ in iter_files(folder))


def test_caches_and_secrets_are_never_kept(tmp_path: Path):
    write(tmp_path, "data.jsonl", "environment.yaml", "deep/env", *NEVER)
    digest = dataset_draft(tmp_path, "x").digest
    assert kept(tmp_path) == ["data.jsonl", "deep/env", "environment.yaml"]
    (tmp_path / ".flowyardignore").write_text("".join(f"!{name}\n" for name in NEVER))
    assert kept(tmp_path) == [".flowyardignore", "data.jsonl", "deep/env", "environment.yaml"]
    (tmp_path / ".flowyardignore").unlink()
    for name in NEVER:
        (tmp_path / name).write_text("changed")
    assert dataset_draft(tmp_path, "x").digest == digest
    assert is_never_kept(".env")
    assert not is_never_kept("env")


def test_the_first_ignore_file_is_the_one(tmp_path: Path):
    write(tmp_path, "a", "b", "c", "deep/a", "deep/b", "deep/c")
    for file, pattern in ((".gitignore", "a"), (".amlignore", "b"), (".flowyardignore", "c")):
        (tmp_path / file).write_text(f"{pattern}\n.*ignore\n")
        assert kept(tmp_path) == sorted(
            f"{where}{each}" for where in ("", "deep/") for each in "abc" if each != pattern
        )


def test_what_is_left_out_may_be_what_could_not_be_kept(tmp_path: Path):
    write(tmp_path, "data.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "data.jsonl")
    with pytest.raises(UserError, match="not a plain file"):
        kept(tmp_path)
    (tmp_path / ".amlignore").write_bytes(b"\xef\xbb\xbflink\r\n")
    assert kept(tmp_path) == [".amlignore", "data.jsonl"]


def test_an_ignore_file_that_cannot_be_read_is_told(tmp_path: Path):
    write(tmp_path, "data.jsonl")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"\.gitignore cannot be read"):
        kept(tmp_path)


PARTS = [
    *("a", "b", "ab", "a.b", "*", "a*", "*.b", "?", "[ab]", "**", "[!a]", "[^b-z]*", "[[:alpha:]]", "[[:punct:]-]b"),
    *("\\a", "a\\", "[a", "[]a]", "[z-a]", "[\\]a-]*", "a[.]b", "a[/]b", "***", "[[:nothing:]]", "x ", "x\\ y"),
]
"""Two stars beside other letters are left out: older releases of git take them in two ways."""
FILES = [
    f"{folder}{name}"
    for folder in ("", "a/", "b/", "a/b/", "ab/", "b/a/b/")
    for name in ("x", "a.b", "c.b", "-b", "x y", "]")
]


def made_patterns(source: random.Random) -> list[str]:
    def pattern() -> str:
        middle = "/".join(source.choice(PARTS) for _ in range(source.choice([1, 1, 2, 3])))
        begin, end = source.choice(["", "", "/"]), source.choice(["", "", "/"])
        return f"{source.choice(['', '', '', '!'])}{begin}{middle}{end}"

    return [source.choice([pattern(), pattern(), "", "# a", "x", "a/**", "!a/x"]) for _ in range(source.randint(1, 5))]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@settings(deadline=None, derandomize=True, database=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**64 - 1))
def test_as_git_reads_them(tmp_path_factory: pytest.TempPathFactory, seed: int):
    source = random.Random(seed)
    folder = tmp_path_factory.mktemp("repository")
    write(folder, *FILES)
    written = {"": made_patterns(source), "a/": made_patterns(source) if source.random() < 0.5 else []}
    for where, patterns in written.items():
        if patterns:
            (folder / where / ".gitignore").write_text("\n".join(patterns) + "\n")
    subprocess.run(["git", "init", "-q", folder], check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)})
    words = ["git", "-C", folder, "ls-files", "--others", "--exclude-standard", "-z"]
    told = subprocess.run(
        words, check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    )
    assert kept(folder) == sorted(filter(None, told.stdout.split("\0"))), written
    shutil.rmtree(folder)
