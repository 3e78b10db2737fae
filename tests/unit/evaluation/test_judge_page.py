"""What docs/judges.md says of judges is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from judge_model import ask, simulated

from flowyard.evaluation.builtin.catalogue import CATALOGUE
from flowyard.evaluation.builtin.listed_judges import JUDGES as LISTED
from flowyard.evaluation.judges import JUDGES, Fluency
from flowyard.evaluation.judges.criteria import CRITERIA
from flowyard.evaluation.judges.settings import JudgeSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "judges.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())


@pytest.mark.parametrize("criteria", CRITERIA.values(), ids=CRITERIA)
def test_the_page_has_what_each_judge_asks(criteria):  # type: ignore[no-untyped-def]
    assert f"- **{criteria.name}**: {criteria.task}" in WORDS


def test_the_page_has_every_judge_with_its_inputs_and_outputs():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.split("## What each asks")[0], re.MULTILINE))
    del rows["type"]  # the heading
    assert set(rows) == set(JUDGES) == {each.name for each in LISTED}
    for entry in LISTED:
        assert CATALOGUE[entry.name] is entry
        assert all(f"`{each.name}`" in rows[entry.name] for each in entry.inputs)
        listed = [each.name for each in entry.outputs]
        assert all(f"`{name}`" in rows[entry.name] for name in listed if entry.name != "qa")


def test_the_page_and_the_catalogue_have_every_option():
    options = set(JudgeSettings.__dataclass_fields__)
    section = PAGE.split("## Options of all judges")[1].split("###")[0]
    assert options <= set(re.findall(r"`(\w+)`", section))
    for entry in LISTED:
        assert options <= {each.name for each in entry.options}
    own = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Rubrics")[1].split("## Pairs")[0], re.MULTILINE))
    assert own | options == {each.name for each in CATALOGUE["rubric"].options}


def test_the_page_s_simulated_judge_answers(tmp_path: Path):
    rules = re.search(r"```yaml\n(rules:.*?)```", PAGE, re.DOTALL)
    assert rules is not None
    model = simulated(tmp_path, rules[1])
    (found,) = ask(model, lambda: Fluency(connection="grader"), {"answer": "Thank you."})
    assert found["fluency"] == 4.0
    assert found["reason"] in ("It is polite.", "It is fine.")
