"""docs/template_defects.md has every defect, with tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "template_defects.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d", line)
]
TESTS = [test for row in ROWS for test in re.findall(r"`([^`]+::[^`]+)`", row[3])]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_defect_is_there_in_order():
    numbers = [int(row[0]) for row in ROWS]
    assert numbers == sorted(numbers)
    assert set(numbers) == {*range(1, 21), *range(29, 34)}
    assert all(len(row) == 4 and all(row) and "::" in row[3] for row in ROWS)


@pytest.mark.parametrize("test", TESTS)
def test_each_test_exists(test: str):
    file, _, name = test.partition("::")
    assert name.startswith("test_")
    assert name in functions_of(file)


def test_every_test_that_names_a_defect_is_on_the_page():
    named = {
        f"{file.relative_to(ROOT).as_posix()}::{name}"
        for file in (ROOT / "tests" / "functional").rglob("test_*.py")
        for name in functions_of(file.relative_to(ROOT).as_posix())
        if (found := re.match(r"test_defect_(\d+)_", name)) and int(found[1]) <= 32
    }
    assert named <= set(TESTS)
