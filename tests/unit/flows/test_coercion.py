from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.model import INPUT_TYPES


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        ("int", "3", 3),
        ("int", 3.7, 3),
        ("int", -3.7, -3),
        ("double", "1", 1.0),
        ("double", 2, 2.0),
        ("bool", True, True),
        ("bool", "TRUE", True),
        ("bool", "false", False),
        ("string", {"a": 1}, "{'a': 1}"),
        ("string", True, "True"),
        ("string", None, "None"),
        ("list", "[1, 2]", [1, 2]),
        ("list", [], []),
        ("object", '{"k": null}', {"k": None}),
        ("object", "not json", "not json"),
        ("object", None, None),
        ("object", 5, 5),
        ("secret", 5, 5),
        ("file_path", "a", "a"),
        ("image", {"data:image/png;path": "a.png"}, {"data:image/png;path": "a.png"}),
    ],
)
def test_table(kind: str, value: Any, result: Any) -> None:
    coerced = coerce(value, kind)
    assert coerced == result
    assert type(coerced) is type(result)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "3.7"),
        ("int", None),
        ("int", []),
        ("double", "x"),
        ("double", None),
        ("bool", 1),
        ("bool", 0),
        ("bool", "yes"),
        ("bool", None),
        ("list", "nope"),
        ("list", "{}"),
        ("list", (1,)),
        ("list", None),
    ],
)
def test_rejected(kind: str, value: Any) -> None:
    with pytest.raises(CoercionError, match=f"is not a valid {kind}"):
        coerce(value, kind)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(CoercionError) as caught:
        coerce("x" * 1000, "int")
    assert str(caught.value).startswith("'xxx")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(json_values)
def test_an_object_is_read_from_its_json(value: Any) -> None:
    assert coerce(json.dumps(value), "object") == value


@settings(deadline=None)
@given(st.sampled_from(INPUT_TYPES), json_values)
def test_nothing_but_a_coercion_error_is_raised(kind: str, value: Any) -> None:
    try:
        once = coerce(value, kind)
    except CoercionError:
        return
    if kind != "object":
        assert coerce(once, kind) == once
