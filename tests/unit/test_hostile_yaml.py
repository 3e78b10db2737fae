"""YAML that means more than it says is refused before it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError
from flowyard.migration import read_structured

_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]\n" for number in range(1, 12)
)
_MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{number}: &a{number} {{<<: [{', '.join([f'*a{number - 1}'] * 10)}]}}\n" for number in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_BOMB, "aliases stand for too much"),
        (_MERGES, "aliases stand for too much"),
        ("a: &a [*a]\n", "an alias stands in what it stands for"),
        ("a: &a {b: {c: *a}}\n", "an alias stands in what it stands for"),
        ("a: " + "[" * 20_000 + "]" * 20_000, "more than 100 values are nested"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(2_000)), "more than 100 values are nested"),
        ("a: " + "9" * 5_000, "Exceeds the limit"),
        ("a: !!python/object/apply:os.system [exit]", "could not determine a constructor"),
    ],
    ids=["bomb", "merges", "itself", "deep in itself", "deep flow", "deep blocks", "huge", "python"],
)
def test_hostile_yaml_is_refused(text: str, why: str):
    with pytest.raises(UserError, match=why):
        parse_yaml(text, Path("file.yaml"))


def test_aliases_of_usual_files_are_taken():
    text = "base: &base {a: [1, 2], b: {c: 3}}\n" + "".join(f"n{number}: {{<<: *base}}\n" for number in range(500))
    assert parse_yaml(text, Path("file.yaml")).data["n7"] == {"a": [1, 2], "b": {"c": 3}}


def test_json_that_is_nested_too_deeply_is_refused(tmp_path: Path):
    (tmp_path / "file.json").write_text("[" * 200_000)
    with pytest.raises(UserError, match="Not valid JSON"):
        read_structured(tmp_path / "file.json")
