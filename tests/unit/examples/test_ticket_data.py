"""The tickets of the example: labels, balance, and texts the simulated model can tell apart."""

import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "ticket_triage"
CATEGORIES = {"billing", "technical", "account", "shipping", "cancellation", "feedback"}
COLUMNS = ["id", "subject", "text", "category", "difficulty"]

Ticket = dict[str, str]


def read(name: str) -> list[Ticket]:
    lines = (EXAMPLE / "data" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def tickets() -> list[Ticket]:
    return read("tickets.jsonl")


@pytest.fixture(scope="module")
def tickets_dev() -> list[Ticket]:
    return read("tickets_dev.jsonl")


@pytest.mark.parametrize("name", ["tickets.jsonl", "tickets_dev.jsonl"])
def test_every_row_is_filled_in(name: str) -> None:
    for row in read(name):
        assert list(row) == COLUMNS
        assert all(isinstance(value, str) and value.strip() for value in row.values()), row["id"]
        assert row["category"] in CATEGORIES, row["id"]
        assert row["difficulty"] in {"easy", "medium", "hard"}, row["id"]


def test_categories_are_balanced(tickets: list[Ticket], tickets_dev: list[Ticket]) -> None:
    assert len(tickets) >= 120
    counts = Counter(row["category"] for row in tickets)
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 20

    assert Counter(row["category"] for row in tickets_dev) == dict.fromkeys(CATEGORIES, 4)


def test_difficulties_are_mixed(tickets: list[Ticket]) -> None:
    counts = Counter(row["difficulty"] for row in tickets)
    shares = {level: count / len(tickets) for level, count in counts.items()}
    assert shares == pytest.approx({"easy": 0.60, "medium": 0.25, "hard": 0.15}, abs=0.03)
    for category in CATEGORIES:
        assert {row["difficulty"] for row in tickets if row["category"] == category} == set(counts)


def test_no_ticket_occurs_twice(tickets: list[Ticket], tickets_dev: list[Ticket]) -> None:
    both = tickets + tickets_dev
    assert len({row["id"] for row in both}) == len(both)
    texts = [row["text"].casefold() for row in both]
    assert not [(one, other) for one, other in permutations(texts, 2) if one in other]


def test_no_subject_is_in_both_datasets(tickets: list[Ticket], tickets_dev: list[Ticket]) -> None:
    known = {row["subject"].casefold() for row in tickets}
    assert not known & {row["subject"].casefold() for row in tickets_dev}


def test_texts_survive_the_cleaning(tickets: list[Ticket]) -> None:
    """The simulated model finds a ticket by its text, which `clean` must therefore leave as it is."""
    for row in tickets:
        assert row["text"] == " ".join(row["text"].split()), row["id"]


@pytest.mark.parametrize("template", ["zero_shot.jinja2", "few_shot.jinja2"])
def test_prompts_give_no_ticket_away(template: str, tickets: list[Ticket], tickets_dev: list[Ticket]) -> None:
    prompt = (EXAMPLE / "flows" / "triage" / template).read_text(encoding="utf-8").casefold()
    assert not [row["id"] for row in tickets + tickets_dev if row["text"].casefold() in prompt]
