"""The chat answers as it should, on the simulated model."""

import json
from pathlib import Path

import flowyard
import pytest

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def chat():
    return flowyard.load_flow(FOLDER / "flows" / "chat", simulate=FOLDER / "simulation.yaml")


def test_a_question_that_leans_on_the_one_before_is_answered(chat):
    request = json.loads((FOLDER / "sample-request.json").read_text())
    assert "22" in chat(**request)["answer"]


def test_what_it_does_not_know_it_does_not_make_up(chat):
    assert "call the shop" in chat(question="Do you sell submarines?", chat_history=[])["answer"]
