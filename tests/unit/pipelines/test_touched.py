"""Which use cases a change touches, as pure logic; with git it is in test_pipeline_plan.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.pipelines.use_cases.find import find_use_cases
from flowyard.pipelines.use_cases.footprint import footprint
from flowyard.pipelines.use_cases.inputs import inputs_digest
from flowyard.pipelines.use_cases.touched import is_for_all, touched_use_cases

KNOWN = {"a": {"a", "shared/one"}, "b": {"b", "shared"}, "c/d": {"c/d"}}
PATHS = st.lists(
    st.sampled_from(
        ["a/x", "b/y.py", "ab/x", "shared/one/z", "shared/two", "c/d/e", "c/f.txt", "docs/a.md", "README.md"]
    ),
    unique=True,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(PATHS, st.randoms(use_true_random=False))
def test_those_with_a_changed_path_and_no_others(paths: list[str], random: object):
    expected = [
        name
        for name, known in sorted(KNOWN.items())
        if any(path == each or path.startswith(f"{each}/") for path in paths for each in known)
    ]
    shuffled = list(paths)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = touched_use_cases(KNOWN, shuffled)
    assert [each.use_case for each in found] == expected
    assert found == touched_use_cases(KNOWN, paths)
    assert all(each.because in paths for each in found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("requirements.txt", True),
        ("requirements/dev.lock", True),
        ("pyproject.toml", True),
        ("uv.lock", True),
        ("Jenkinsfile", True),
        ("connections/model.yaml", True),
        (".github/workflows/x.yml", True),
        ("README.md", False),
        ("LICENSE", False),
        ("data", False),
        ("other/pyproject.toml", False),
    ],
)
def test_what_is_for_all(path: str, expected: bool):
    assert is_for_all(path) is expected
    assert bool(touched_use_cases(KNOWN, [path])) is expected


def test_a_use_case_at_the_top_has_everything(tmp_path: Path):
    (tmp_path / "experiment.yaml").write_text("name: x\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "experiment.yaml").write_text("name: y\n")
    assert find_use_cases(tmp_path) == ["."]
    assert touched_use_cases({".": footprint(tmp_path, ".")}, ["any/file"])[0].because == "any/file"


def test_broken_and_endless_files_name_nothing(tmp_path: Path):
    case = tmp_path / "case"
    case.mkdir()
    (case / "experiment.yaml").write_text("a: [../shared/*.jsonl, ../../outside, ../other, http://x/../y]\n")
    (case / "broken.yaml").write_text("a: [\n")
    (case / "binary.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "back.yaml").write_text("a: ../case\nb: ../other\n")
    (case / "loop").symlink_to(".")
    assert footprint(tmp_path, "case") == {"case", "shared", "other"}


def test_links_submodules_and_what_prompts_name_are_part_of_it(tmp_path: Path):
    """A link or a submodule is one path to git, whatever is named below it."""
    case = tmp_path / "case"
    case.mkdir()
    (case / "data.yaml").write_text("a: ../newest/rows.jsonl\nb: ../vendor/data/rows.jsonl\n")
    (case / "ask.prompty").write_text("---\nsample: ${file:../common/sample.json}\n---\nsystem:\n../text\n")
    (case / "long.yaml").write_text(f"a: ../{'x' * 300}\n")
    (case / "around").symlink_to("around/again")
    (tmp_path / "newest").symlink_to("newer")
    (tmp_path / "newer").symlink_to("v2")
    os.mkfifo(case / "endless.yaml")
    found = footprint(tmp_path, "case")
    assert found == {
        *("case", "newest/rows.jsonl", "newer/rows.jsonl", "v2/rows.jsonl"),
        *("vendor/data/rows.jsonl", "common/sample.json"),
    }
    for path in ("newest", "newer", "v2/rows.jsonl", "vendor/data", "common/sample.json"):
        assert touched_use_cases({"case": found}, [path]), path
    assert not touched_use_cases({"case": found}, ["vend", "v2/other", "common/other"])
    assert inputs_digest(tmp_path, "case") == inputs_digest(tmp_path, "case")


def test_the_digest_is_of_names_and_contents(tmp_path: Path):
    case = tmp_path / "case"
    case.mkdir()
    (case / "experiment.yaml").write_text("name: x\n")
    first = inputs_digest(tmp_path, "case")
    (case / "__pycache__").mkdir()
    (case / "__pycache__" / "x.pyc").write_text("x")
    (tmp_path / "elsewhere.txt").write_text("x")
    assert inputs_digest(tmp_path, "case") == first
    (case / "out").mkdir()
    (case / "out" / "summary.md").write_text("x")
    assert inputs_digest(tmp_path, "case", [case / "out"]) == first
    assert inputs_digest(tmp_path, "case") != first
    (case / "out" / "summary.md").unlink()
    (tmp_path / "requirements.txt").write_text("x")
    assert inputs_digest(tmp_path, "case") != first
