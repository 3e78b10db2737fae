"""The prompt gives what its file declares, on the simulated model."""

from pathlib import Path

import flowyard
import pytest

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def read():
    return flowyard.load_flow(FOLDER / "flows" / "review" / "review.prompty", simulate=FOLDER / "simulation.yaml")


@pytest.mark.parametrize(
    ("review", "sentiment"),
    [
        ("The grinder is quiet and even, a joy.", "positive"),
        ("The cup had a crack when it came.", "negative"),
        ("Delivered by post.", "neutral"),
    ],
)
def test_a_review_has_a_sentiment_and_a_short_summary(read, review, sentiment):
    found = read(review=review)
    assert found["sentiment"] == sentiment
    assert 0 < len(found["summary"]) <= 60
