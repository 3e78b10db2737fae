from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowyard.errors import UserError
from flowyard.simulation import load_rules
from flowyard.simulation.answers import find_row, load_table


def _write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_full_file_loads(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "my bill", "category": "billing"}\n', encoding="utf-8")
    path = _write(
        tmp_path,
        """
seed: 7
latency: {median_ms: 15, p95_ms: 60}
faults: {rate_429: 0.02, retry_after_s: 0.05, rate_500: 0.01, rate_cut_off: 0.0}
answers: [{file: rows.jsonl, find: text}]
rules:
  - name: known
    known: true
    when: {system: "a", user: "b", prompt: "c", model: "d"}
    reply: "{{ row.category }}"
    wrong: other
    error_rate: "0.4 if row.category == 'x' else 0.05"
    tokens: {prompt: 120, completion: 20}
  - tool_calls: [{name: get, arguments: {city: "{{ match.city }}", deep: [1, "{{ user }}"]}}]
  - reply: [a, b]
""",
    )
    rules = load_rules(path)
    assert rules.seed == 7
    assert [rule.name for rule in rules.rules] == ["known", "rule 2", "rule 3"]
    assert load_rules(path, seed=0).seed == 0


def test_every_problem_is_listed_with_its_line(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        """sed: 1
faults: {rate_429: 2}
rules:
  - name: a
    repply: hello
  - name: b
    when: {user: "(", sistem: x}
    reply: "{{ roww.x }}"
  - name: c
    reply: "{% if %}"
    error_rate: 1.5
  - name: d
    reply: x
    tool_calls: [{name: f}]
  - name: e
    reply: x
    wrong: y
""",
    )
    with pytest.raises(UserError) as caught:
        load_rules(path)
    text = str(caught.value)
    for line, words in (
        (1, "Did you mean 'seed'?"),
        (2, "rate_429"),
        (5, "Did you mean 'reply'?"),
        (7, "not a valid regular expression"),
        (7, "Did you mean 'system'?"),
        (8, "unknown variable 'roww'. Did you mean 'row'?"),
        (10, "not a valid Jinja template"),
        (11, "number from 0 to 1"),
        (12, "either reply or tool_calls"),
        (15, "need each other"),
    ):
        parts = text.split("rules.yaml:")
        assert any(part.startswith(f"{line}: ") and words in part for part in parts), (line, words, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rules"),
        ("- 1\n", "must be a mapping"),
        ("rules: []\n", "at least 1 item"),
        ("rules:\n  - {name: a, reply: x}\n  - {name: a, reply: y}\n", "rules.yaml:3: a second rule is named 'a'"),
        ("rules:\n  - reply: x\n    known: true\n", "rules.yaml:3: known needs a table"),
        ("rules: [{reply: x}]\nanswers:\n  - {file: no.jsonl, find: t}\n", "rules.yaml:3: file not found"),
        ("rules: [{reply: 12}]\n", "must be a text, not int"),
        ("rules: [{reply: x}]\nlatency: {median_ms: 5, p95_ms: 1}\n", "p95_ms must not be below"),
        ("rules: [{reply: x}]\nfaults: {rate_429: 0.7, rate_500: 0.7}\n", "together exceed 1"),
        ('rules: [{reply: "{{ [1, 2] | random }}"}]\n', "random"),
    ],
)
def test_single_problems(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_rules(_write(tmp_path, text))
    assert words in str(caught.value)


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found"):
        load_rules(tmp_path / "none.yaml")


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_tables_of_each_format_find_the_longest_text(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": "pay", "n": "1"}, {"text": "pay my\nbill", "n": "2"}, {"text": "", "n": "3"}]
    texts = {
        "jsonl": "\n".join(json.dumps(row) for row in rows),
        "json": json.dumps(rows),
        "csv": 'text,n\npay,1\n"pay my\nbill",2\n,3\n',
    }
    path = tmp_path / f"rows.{suffix}"
    path.write_text(texts[suffix], encoding="utf-8")
    table = load_table(path, "text")
    found = find_row([table], ["please pay my  bill now"])
    assert found is not None
    assert found["n"] == "2"
    assert find_row([table], ["nothing", "I pay"]) == rows[0]
    assert find_row([table], ["nothing"]) is None


def test_a_wrong_column_suggests_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="Did you mean 'text'"):
        load_table(path, "txt")
    path.write_text('{"text": "a"}\n[1]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows\.jsonl:2 is not a JSON object"):
        load_table(path, "text")


def test_the_documented_file_loads(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "simulation.md").read_text(encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tickets.jsonl").write_text('{"text": "a", "category": "b"}\n', encoding="utf-8")
    rules = load_rules(_write(tmp_path, page.split("```yaml\n")[1].split("```")[0]))
    assert [rule.name for rule in rules.rules] == ["triage", "weather", "anything else"]
