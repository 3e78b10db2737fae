"""What ``monitor export --mask`` hides, and what it leaves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.production.datasets.masks import FORMS, MASKED, parse_masks, require_columns

HIDDEN = [
    ("Write to ann.lee+x@mail.example.org.", "Write to [email]."),
    ("Jürgen@exämple.de, bob@b.co", "[email], [email]"),
    ("Call +49 (0)171 234-5678 now", "Call [phone] now"),
    ("0171 2345678 or 555-123-4567 or (555) 123-4567", "[phone] or [phone] or [phone]"),
    ("My card 4111 1111 1111 1111!", "My card [card]!"),
    ("5500-0000-0000-0004", "[card]"),
    ("DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432", "[iban] and [iban]"),
    ("from 192.168.0.1, 2001:db8::ff00:42:8329", "from [ip], [ip]"),
]
LEFT = [
    "Order 4111 1111 1111 1112 of 2026-01-05 at 10:30:00",
    "GB82 WEST 1234 5698 7654 33",
    "version 999.1.2.3, ratio 1:2, @home, a@b",
    "1234567 items, 3.14159265, 100,000,000",
]


@pytest.mark.parametrize(("text", "hidden"), HIDDEN)
def test_forms_are_hidden_wherever_they_are(text: str, hidden: str):
    line = {"inputs.a": {"deep": [text, 3, None], text: True}, "label": text, "version": text, "request_id": text}
    found = parse_masks(["personal"]).line(line)
    assert found["inputs.a"] == {"deep": [hidden, 3, None], hidden: True}
    assert (found["label"], found["version"], found["request_id"]) == (hidden, text, text)


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_it_is_left(text: str):
    assert parse_masks(["personal"]).line({"outputs.a": text}) == {"outputs.a": text}


def test_columns_are_hidden_as_a_whole_and_one_form_hides_no_other():
    line = {"inputs.card": {"number": 1}, "inputs.x": "a@b.co, 4111111111111111", "inputs.n": 4111111111111111}
    found = parse_masks(["inputs.card", "comment", "card"]).line({**line, "comment": None})
    assert found == {"inputs.card": MASKED, "inputs.x": "a@b.co, [card]", "inputs.n": "[card]", "comment": None}


def test_what_is_not_known_is_refused():
    for word in ("emial", "inputs.", "request_id", ""):
        with pytest.raises(UserError, match="--mask cannot be"):
            parse_masks([word])
    lines = [{"inputs.name": "x"}]
    masks = parse_masks(["inputs.nmae"])
    with pytest.raises(UserError, match=r"no line has a column inputs\.nmae"):
        list(require_columns(lines, masks))
    assert list(require_columns([], masks)) == []


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_value_stays_one_and_hiding_twice_changes_nothing(value: object):
    masks = parse_masks(["personal"])
    once = masks.line({"inputs.x": value})
    assert masks.line(once) == once
    json.dumps(once)


@pytest.mark.parametrize(
    "text", ["1" * 50_000, "a@" * 30_000, "a." * 30_000, ":" * 50_000, "0 " * 40_000, "AB12" * 20_000]
)
def test_long_texts_that_almost_fit_are_looked_through(text: str):
    assert len(FORMS) == 5
    parse_masks(["personal"]).line({"inputs.x": text})
