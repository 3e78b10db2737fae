"""Orders are read and checked, on the simulated model."""

from pathlib import Path

import flowyard
import pytest

FOLDER = Path(__file__).resolve().parents[1]


def load(**init):
    return flowyard.load_flow(FOLDER / "flows" / "extract", init=init or None, simulate=FOLDER / "simulation.yaml")


@pytest.fixture(scope="module")
def extract():
    return load()


def test_items_and_quantities_are_found(extract):
    found = extract(text="Could I get 2 kettles and 6 blue mugs by Friday?")["items"]
    assert found == [{"item": "kettle", "quantity": 2}, {"item": "blue mug", "quantity": 6}]


def test_a_mail_without_an_order_has_no_items(extract):
    assert extract(text="Please cancel my newsletter.") == {"items": [], "left_out": 0}


def test_a_quantity_that_is_too_large_is_left_out():
    assert load(largest_quantity=5)(text="We need 40 paper filters.") == {"items": [], "left_out": 1}
