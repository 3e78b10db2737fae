"""The agent calls the tools that a question takes, on the simulated model."""

from pathlib import Path

import flowyard
import pytest

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def agent():
    return flowyard.load_flow(FOLDER / "flows" / "agent", simulate=FOLDER / "simulation.yaml")


def test_two_tools_are_called_where_a_question_takes_both(agent):
    found = agent(question="I must get from Dale to Arden today, when and for how much?")
    assert [call["name"] for call in found["calls"]] == ["next_connection", "ticket_price"]
    assert "16:00" in found["answer"]
    assert "31" in found["answer"]


def test_no_tool_is_called_for_small_talk(agent):
    found = agent(question="Good morning, who are you?")
    assert found == {**found, "calls": [], "rounds": 1}


def test_it_gives_up_when_it_may_not_ask_again():
    hasty = flowyard.load_flow(FOLDER / "flows" / "agent", init={"max_rounds": 1}, simulate=FOLDER / "simulation.yaml")
    assert "counter" in hasty(question="When does the first train from Arden to Brook leave?")["answer"]
