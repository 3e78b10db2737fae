"""The answers come from the corpus, with citations, on the simulated model."""

from pathlib import Path

import flowyard
import pytest

FOLDER = Path(__file__).resolve().parents[1]
FLOW = FOLDER / "flows" / "answer"


@pytest.fixture(scope="module")
def answer():
    return flowyard.load_flow(FLOW, simulate=FOLDER / "simulation.yaml")


def test_an_answer_cites_the_page_that_it_comes_from(answer):
    found = answer(question="Until when is breakfast served on Sundays?")
    assert "11:30" in found["answer"]
    assert found["citations"] == ["breakfast.md"]


def test_what_no_page_says_is_not_answered(answer):
    found = answer(question="What is the capital of Mongolia?")
    assert found == {**found, "answer": "I do not know.", "citations": []}


def test_every_citation_is_a_page_of_the_corpus(answer):
    found = answer(question="May I bring my dog?")
    assert all((FLOW / "corpus" / page).is_file() for page in found["citations"])
