"""The search space: what is combined, filtered, drawn and found wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard._util.yamlfile import YamlFile, parse_yaml
from flowyard.errors import ExperimentInvalid, UserError
from flowyard.experiments.space.expand import LARGEST_GRID, Selection, expand, open_space
from flowyard.experiments.space.parameters import ParameterValues, canonical, parse_parameters_block, unique
from flowyard.experiments.space.search import Search, parse_search_block
from flowyard.experiments.space.variants import VariantsBlock, parse_variants_block
from flowyard.flows.labels import selection_label
from flowyard.flows.model import DagFlow, Literal, Node


def flow_of(variants: Mapping[str, tuple[str, ...]], chosen: Mapping[str, str] | None = None) -> DagFlow:
    """A flow with an LLM node for each node that has variants."""
    known = {node: ids[0] for node, ids in variants.items()} | dict(chosen or {})
    nodes = tuple(Node(name=node, type="llm", inputs={"temperature": Literal(0)}) for node in variants)
    return DagFlow(name="f", file=Path("f"), folder=Path("missing"), nodes=nodes, variants=variants, chosen=known)


TWO = {"a": ("a0", "a1", "A2"), "b": ("b0", "a1")}


def selections(
    text: str = "{}", *, parameters: str = "{}", search: str = "{}", variants: Mapping[str, tuple[str, ...]] = TWO
) -> list[Selection]:
    """What the blocks select, each written as YAML."""
    found, _ = expand(
        open_space(
            lambda selected: flow_of(variants, selected),
            parse_variants_block(*block("variants", text)),
            parse_parameters_block(*block("parameters", parameters)),
            None,
        ),
        parse_search_block(*block("search", search)),
    )
    return found


def block(name: str, text: str) -> tuple[Any, YamlFile, str]:
    body = text if text.startswith("{") else "\n  " + text.replace("\n", "\n  ")
    file = parse_yaml(f"{name}: {body}\n", Path("experiment.yaml"))
    return file.data[name], file, name


def assignments(text: str) -> list[tuple[str, ...]]:
    return [tuple(each.assignment.values()) for each in selections(text)]


EVERY = list(itertools.product(*TWO.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", [("a0", "b0"), ("a1", "b0"), ("A2", "b0"), ("a0", "a1")]),
        ("{mode: one-at-a-time, nodes: {a: [A2]}}", [("a0", "b0"), ("A2", "b0")]),
        ("{mode: grid, nodes: {a: [a1, A2], b: [b0, a1]}}", [("a1", "b0"), ("a1", "a1"), ("A2", "b0"), ("A2", "a1")]),
        ("{mode: grid, nodes: {a: [a1]}}", [("a1", "b0")]),
        ("{mode: all}", EVERY),
        ("{mode: all, nodes: {a: [A2]}}", [("A2", "b0"), ("A2", "a1")]),
        ("{named: [{name: both, select: {a: a1, b: a1}}]}", [("a1", "a1")]),
        (
            "{mode: one-at-a-time, nodes: {b: [a1]}, named: [{name: both, select: {a: a1, b: a1}}]}",
            [("a0", "b0"), ("a0", "a1"), ("a1", "a1")],
        ),
        ("{mode: all, only: [{a: [a0, A2], b: a1}]}", [("a0", "a1"), ("A2", "a1")]),
        ("{mode: all, except: [{b: a1}, {a: A2}]}", [("a0", "b0"), ("a1", "b0")]),
        ("{mode: all, only: [{a: a0}, {b: b0}], except: [{a: a0, b: b0}]}", [("a0", "a1"), ("a1", "b0"), ("A2", "b0")]),
    ],
)
def test_modes_and_filters(text: str, expected: list[tuple[str, ...]]) -> None:
    assert assignments(text) == expected


def test_parameters_are_combined_with_every_assignment() -> None:
    found = selections(
        "{mode: all, except: [{a: A2}, {a.temperature: 1, b: a1}]}",
        parameters="{a.temperature: [0, 1, 0.0], b.top_p: 0.5}",
    )
    assert len({each.key for each in found}) == len(found) == 4 + 2
    assert found[0].label == "a=a0, b=b0, a.temperature=0, b.top_p=0.5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{min: 0, max: 1, steps: 3}", [0, 0.5, 1]),
        ("{min: 1, max: 10, steps: 4}", [1, 4, 7, 10]),
        ("{min: 0.1, max: 0.3, steps: 3}", [0.1, 0.2, 0.3]),
        ("{min: 1, max: 1000, steps: 4, log: true}", [1, 10, 100, 1000]),
        ("{min: 0.001, max: 0.1, steps: 3, log: true}", [0.001, 0.01, 0.1]),
        ("{min: 2, max: 2, steps: 5}", [2]),
        ("[1, 1.0, true, '1', null]", [1, True, "1", None]),
        ("gpt-4o", ["gpt-4o"]),
    ],
)
def test_values(text: str, expected: list[Any]) -> None:
    (found,) = parse_parameters_block(*block("parameters", f"{{x: {text}}}"))
    assert [canonical(each) for each in found.values] == [canonical(each) for each in expected]


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(2, 40), st.booleans())
def test_ranges_go_up_from_end_to_end(low: int, width: int, steps: int, is_log: bool) -> None:
    low = abs(low) + 1 if is_log else low
    text = f"{{x: {{min: {low}, max: {low + width}, steps: {steps}, log: {str(is_log).lower()}}}}}"
    (found,) = parse_parameters_block(*block("parameters", text))
    assert (found.values[0], found.values[-1]) == (low, low + width)
    assert list(found.values) == sorted(set(found.values))
    assert len(found.values) == (steps if width else 1)


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("variants", "mode: gird\nnodes: {a: [a0]}", 2, "Did you mean 'grid'?"),
        ("variants", "node: {a: [a0]}", 2, "Did you mean 'nodes'?"),
        ("variants", "mode: grid", 2, "mode: all"),
        ("variants", "named:\n- {name: x, selekt: {a: a1}}", 3, "'select'"),
        ("variants", "only: {a: a0}", 2, "list"),
        ("variants", "nodes:\n  a: {b: c}", 3, "variant ids"),
        ("parameters", "a.temperature: {min: 0, max: 1, step: 3}", 2, "Did you mean 'steps'?"),
        ("parameters", "a.temperature: {min: 1, max: 0, steps: 3}", 2, "no range"),
        ("parameters", "a.temperature: {min: 0, max: 1, steps: 3, log: true}", 2, "above 0"),
        ("parameters", "a.temperature: {min: 0, max: .inf, steps: 3}", 2, "no range"),
        ("parameters", "a.temperature: {min: 0, max: 1, steps: 1}", 2, "steps"),
        ("parameters", "a.temperature: []", 2, "empty"),
        ("parameters", "a.temperature: [.nan]", 2, "no value"),
        ("search", "metod: random", 2, "Did you mean 'method'?"),
        ("search", "method: bayes", 2, "'random'"),
        ("search", "max_runs: 0", 2, "max_runs"),
        ("search", "max_cost: -1", 2, "max_cost"),
        ("search", "seed: x", 2, "seed"),
    ],
)
def test_a_wrong_block_is_told_with_its_line(name: str, text: str, line: int, said: str) -> None:
    parse = {"variants": parse_variants_block, "parameters": parse_parameters_block, "search": parse_search_block}
    with pytest.raises(ExperimentInvalid) as caught:
        parse[name](*block(name, text))
    assert f"experiment.yaml:{line}" in [problem.where for problem in caught.value.problems]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("variants", "parameters", "line", "said"),
    [
        ("mode: grid\nnodes: {aa: [a0]}", "{}", 3, "Did you mean 'a'?"),
        ("mode: grid\nnodes: {a: [a2]}", "{}", 3, "Did you mean 'A2'?"),
        ("named:\n- {name: x, select: {a: b0}}", "{}", 3, "It has: 'a0', 'a1', 'A2'"),
        ("mode: all\nonly: [{c: b0}]", "{}", 3, "'c'"),
        ("mode: all\nexcept: [{a: b0}]", "{}", 3, "'b0'"),
        ("{}", "a.temprature: [0]", 2, "Did you mean 'temperature'?"),
        ("{}", "aa.temperature: [0]", 2, "Did you mean 'a'?"),
        ("{}", "temperature: [0]", 2, "NODE.INPUT"),
        ("{}", "a.prompt: [missing.jinja2]", 2, "missing.jinja2"),
    ],
)
def test_what_the_flow_does_not_have_is_told_with_its_line(
    variants: str, parameters: str, line: int, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        selections(variants, parameters=parameters)
    assert caught.value.where == f"experiment.yaml:{line}"
    assert said in f"{caught.value} {caught.value.hint}"


def test_a_parameter_that_one_variant_lacks_is_not_tried_with_it() -> None:
    def read(selected: Mapping[str, str]) -> DagFlow:
        kind = "prompt" if selected.get("a") == "a1" else "llm"
        nodes = (Node(name="a", type=kind),)
        variants = {"a": ("a0", "a1")}
        chosen = {"a": selected.get("a", "a0")}
        return DagFlow(name="f", file=Path("f"), folder=Path("missing"), nodes=nodes, variants=variants, chosen=chosen)

    space = open_space(read, VariantsBlock(), [ParameterValues("a.temperature", (0, 1))], None)
    found, _ = expand(space, Search())
    assert [each.label for each in found] == ["a=a0, a.temperature=0", "a=a0, a.temperature=1", "a=a1"]


BILLION = [ParameterValues(f"a.{name}", tuple(range(1000))) for name in ("temperature", "top_p", "max_tokens")]


def test_a_random_search_of_a_billion_lists_nothing() -> None:
    space = open_space(
        lambda chosen: flow_of(TWO, chosen), VariantsBlock(mode="grid", nodes={"a": ("a0",)}), BILLION, None
    )
    assert space.size == 10**9
    first, warnings = expand(space, Search("random", seed=7, max_runs=50))
    assert len({each.key for each in first}) == 50
    assert "50 of up to 1,000,000,000" in warnings[0]
    assert expand(space, Search("random", seed=7, max_runs=50))[0] == first
    assert expand(space, Search("random", seed=8, max_runs=50))[0] != first
    assert len(expand(space, Search("grid", max_runs=50))[0]) == 50


@pytest.mark.parametrize("method", ["grid", "random"])
def test_too_many_without_a_limit(method: Any) -> None:
    space = open_space(lambda chosen: flow_of(TWO, chosen), VariantsBlock(), BILLION, None)
    with pytest.raises(UserError, match="combinations") as caught:
        expand(space, Search(method, where="experiment.yaml:9"))
    assert caught.value.where == "experiment.yaml:9"
    assert space.size > LARGEST_GRID


def test_a_limit_keeps_selections_whole_over_all_datasets() -> None:
    space = open_space(lambda chosen: flow_of(TWO, chosen), VariantsBlock(mode="all"), [], None)
    assert len(expand(space, Search(max_runs=5), datasets=2)[0]) == 2
    with pytest.raises(UserError, match="max_runs"):
        expand(space, Search(max_runs=1), datasets=2)


def test_filters_that_leave_nothing() -> None:
    with pytest.raises(UserError, match="nothing to run"):
        selections("{mode: all, except: [{a: [a0, a1, A2]}]}")


ids = st.lists(st.sampled_from(["v", "w", "V", "x.y", "a b"]), min_size=1, max_size=4, unique=True).map(tuple)
spaces = st.dictionaries(st.sampled_from(["n", "m", "o"]), ids, min_size=1)
values = st.lists(
    st.one_of(st.integers(0, 3), st.floats(0, 1), st.sampled_from(["1", "x, y=1", ""])), min_size=1, max_size=4
)


@settings(deadline=None)
@given(spaces, values, st.integers(0, 99), st.integers(1, 40))
def test_grid_and_random_give_the_same_space_without_repetition(
    variants: dict[str, tuple[str, ...]], some: list[Any], seed: int, most: int
) -> None:
    node = next(iter(variants))
    parameter = ParameterValues(f"{node}.temperature", unique(some))
    space = open_space(lambda chosen: flow_of(variants, chosen), VariantsBlock(mode="all"), [parameter], None)
    whole, _ = expand(space, Search())
    assert len(whole) == math.prod(map(len, variants.values())) * len(parameter.values)
    assert len({each.key for each in whole}) == len(whole)
    assert len({each.label for each in whole}) == len(whole)
    drawn, _ = expand(space, Search("random", seed=seed))
    assert {each.key for each in drawn} == {each.key for each in whole}
    some_of_them, _ = expand(space, Search("random", seed=seed, max_runs=most))
    assert some_of_them == drawn[:most]


@settings(deadline=None)
@given(spaces)
def test_one_at_a_time_is_the_defaults_and_each_variant_once(variants: dict[str, tuple[str, ...]]) -> None:
    space = open_space(lambda chosen: flow_of(variants, chosen), VariantsBlock(), [], None)
    found, _ = expand(space, Search())
    defaults = {node: each[0] for node, each in variants.items()}
    assert found[0].assignment == defaults
    assert len(found) == 1 + sum(len(each) - 1 for each in variants.values())
    assert all(sum(each.assignment[node] != defaults[node] for node in variants) <= 1 for each in found)


names = st.text(min_size=1, max_size=60)
anything = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=80), st.lists(st.integers(), max_size=3))
selected = st.tuples(st.dictionaries(names, names, max_size=2), st.dictionaries(names, anything, max_size=2))


@given(selected, selected)
def test_different_selections_have_different_labels(one: Any, other: Any) -> None:
    labels = [selection_label(*each) for each in (one, other)]
    is_same = [list(each[0].items()) for each in (one, other)], [list(each[1].items()) for each in (one, other)]
    if labels[0] == labels[1]:
        assert is_same[0][0] == is_same[0][1] or not (one[1] or other[1])
        assert canonical(one) == canonical(other)
    assert all(label.isprintable() for label in labels)


@pytest.mark.parametrize(
    ("assignment", "parameters", "label"),
    [
        ({}, {}, "defaults"),
        ({"classify": "variant_1"}, {"classify.temperature": 0.5}, "classify=variant_1, classify.temperature=0.5"),
        ({"a": "v", "b": "v"}, {}, "a=v, b=v"),
        ({"a": "x, b=y"}, {}, 'a="x, b=y"'),
        ({}, {"n.x": "1"}, 'n.x="1"'),
        ({}, {"n.x": 1}, "n.x=1"),
        ({}, {"n.x": "\x1b[31m"}, 'n.x="\\u001b[31m"'),
        ({}, {"n.prompt": "prompts/short.jinja2"}, "n.prompt=prompts/short.jinja2"),
        ({}, {"n.response_format": {"type": "json_object"}}, 'n.response_format={"type": "json_object"}'),
    ],
)
def test_labels(assignment: Mapping[str, str], parameters: Mapping[str, Any], label: str) -> None:
    assert selection_label(assignment, parameters) == label
