from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.flows.model import InputRef, Key, Literal, NodeRef
from flowyard.flows.reference import ReferenceSyntaxError, follow, parse_value


@pytest.mark.parametrize(
    "raw",
    ["a ${x.output}", "${x.output} ", "$", "${}", "$x", "${x.output", "{x.output}", "", 5, None, True, ["${x.output}"]],
)
def test_literals_stay_as_they_are(raw: Any) -> None:
    assert parse_value(raw) == Literal(raw)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("${inputs.x}", "x"),
        ("${flow.x}", "x"),
        ("${inputs.x.y}", "x.y"),
        ("${inputs.x[0]}", "x[0]"),
        ("${inputs. x }", " x "),
    ],
)
def test_flow_inputs(raw: str, name: str) -> None:
    assert parse_value(raw) == InputRef(name)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("${n}", ()),
        ("${n.output}", ()),
        ("${n.outputs}", ()),
        ("${n.output.k}", ("k",)),
        ("${n.outputs.k}", ("k",)),
        ("${n.output.[0]}", (0,)),
        ("${n.output[0]}", (0,)),
        ("${n.output['k']}", (Key("k"),)),
        ("${n.output.['a b']}", (Key("a b"),)),
        ("${n.output.k[0].z}", ("k", 0, "z")),
        ("${n.output.k.[0]}", ("k", 0)),
        ('${n.output.["k"]}', ("k",)),
        ("${n.output.k['a.b'].c}", ("k", Key("a.b"), "c")),
    ],
)
def test_node_references(raw: str, path: tuple[Any, ...]) -> None:
    assert parse_value(raw) == NodeRef("n", path, raw)


@pytest.mark.parametrize("raw", ["${n.result}", "${n.outputx}", "${n.}", "${ }"])
def test_references_that_mean_nothing(raw: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_value(raw)


class Point:
    x = 3
    k = "attribute"


@pytest.mark.parametrize(
    ("value", "raw", "found"),
    [
        ({"k": [{"z": 1}]}, "${n.output.k[0].z}", 1),
        ({"a b": 2}, "${n.output.['a b']}", 2),
        ([5, 6], "${n.output.[1]}", 6),
        (Point(), "${n.output.x}", 3),
        ({"items": 7}, "${n.output.items}", 7),
        ("text", "${n}", "text"),
    ],
)
def test_following(value: Any, raw: str, found: Any) -> None:
    reference = parse_value(raw)
    assert isinstance(reference, NodeRef)
    assert follow(value, reference) == found


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ({"k": 1}, "${n.output.nope}"),
        ({"k": 1}, "${n.output.k.deeper}"),
        ([1], "${n.output.[1]}"),
        ([1], "${n.output.[-1]}"),
        (Point(), "${n.output.['k']}"),
        (None, "${n.output.k}"),
    ],
)
def test_what_is_missing_is_named(value: Any, raw: str) -> None:
    reference = parse_value(raw)
    assert isinstance(reference, NodeRef)
    with pytest.raises(LookupError, match="node 'n' returned has no such property"):
        follow(value, reference)


names = st.from_regex(r"[A-Za-z_]\w{0,9}", fullmatch=True).filter(lambda name: name not in ("inputs", "flow"))
steps = st.lists(st.one_of(names, st.integers(0, 9), st.text("ab .[]", min_size=1, max_size=5).map(Key)), max_size=4)


@settings(deadline=None)
@given(names, steps)
def test_every_path_that_is_written_is_read_back(node: str, path: list[Any]) -> None:
    written = "".join(
        f".{step}" if isinstance(step, str) else f"[{step}]" if isinstance(step, int) else f".['{step.name}']"
        for step in path
    )
    raw = f"${{{node}.output{written}}}"
    assert parse_value(raw) == NodeRef(node, tuple(path), raw)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_value_or_a_syntax_error(text: str) -> None:
    try:
        value = parse_value(text)
    except ReferenceSyntaxError:
        assert text.startswith("${")
    else:
        assert not isinstance(value, Literal) or value.value == text
