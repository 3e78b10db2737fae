"""Forms of YAML files: what is not known is named with what is, wherever it stands, and everything at once."""

import re
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from flowyard._util.strict_yaml import STRICT, Duration, LeastDuration, parse_strictly
from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import Problem, UserError


class _Limit(BaseModel):
    model_config = STRICT

    most: float
    wait: Duration | None = None
    least_wait: LeastDuration | None = None


class _Place(BaseModel):
    model_config = STRICT

    limits: _Limit | None = None
    steps: list[Annotated[_Limit, Field()]] = Field(default_factory=list)


class _File(BaseModel):
    model_config = STRICT

    places: dict[str, _Place]
    name: Annotated[str, Field(pattern="^[a-z]+$")] = "none"


def problems_of(text: str, **more) -> list[str]:
    found = more.pop("found", ())
    with pytest.raises(UserError) as caught:
        parse_strictly(_File, parse_yaml(text, Path("some.yaml")), lambda _body: found, **more)
    return re.sub(r"\n {4}", " ", str(caught.value)).splitlines()[1:]  # a hint to the line of its problem


@pytest.mark.parametrize(
    ("text", "place", "known"),
    [
        ("{places: {}, plan: 1}", "plan", "places"),
        ("places: {dev: {stops: 1}}", "places.dev.stops", "steps"),
        ("places: {dev: {'steps[0]': 1}}", "places.dev.steps[0]", "steps"),  # brackets as in pydantic's own words
        ("places: {limits: {stops: 1}}", "places.limits.stops", "steps"),  # a name that is also a key
        ("places: {dev: {limits: {most: 1.0, mast: 2}}}", "places.dev.limits.mast", "most"),
        ("places: {dev: {steps: [{most: 1.0}, {most: 1.0, mast: 2}]}}", "places.dev.steps.1.mast", "most"),
    ],
)
def test_an_unknown_key_is_told_with_those_that_stand_there(text, place, known):
    (told,) = problems_of(text)
    assert f"Unknown key {place!r}." in told
    assert known in told.split(place, 1)[1]


def test_every_problem_is_told_in_the_order_of_the_lines():
    text = "name: A\nname: B\nplaces:\n  dev: {limits: {wait: 5}}\n"
    besides = [Problem("A variable is not set.", "some.yaml:3")]
    told = problems_of(text, besides=besides, found=[Problem("Is not asked.", "some.yaml:1")])
    assert [line.split("some.yaml:")[1][0] for line in told] == ["2", "2", "3", "4", "4"]
    assert not any("Is not asked" in line for line in told)  # of values that are not right there is no more to say


def test_what_a_whole_form_says_is_told_when_each_value_is_right():
    assert "Too few places" in problems_of("places: {}", found=[Problem("Too few places.", "some.yaml:1")])[0]


def test_sentences_of_a_file_take_the_place_of_pydantics():
    text = "{places: {}, name: 'A\\e'}".replace("'", '"')
    (told,) = problems_of(text, says={"string_pattern_mismatch": "{input!a} does not belong there"})
    assert "name: 'A\\x1b' does not belong there." in told


@pytest.mark.parametrize(("written", "fits"), [("0s", False), ("5", False), ("1h30m", True), ("90d", False)])
def test_durations_have_a_unit_and_an_end(written, fits):
    file = parse_yaml(f"places: {{dev: {{limits: {{most: 1.0, wait: '{written}'}}}}}}", Path("some.yaml"))
    if fits:
        limits = parse_strictly(_File, file, lambda _body: ()).places["dev"].limits
        assert limits is not None
        assert limits.wait is not None
    else:
        with pytest.raises(UserError, match=r"places\.dev\.limits\.wait"):
            parse_strictly(_File, file, lambda _body: ())


def test_a_least_duration_may_be_none():
    file = parse_yaml("places: {dev: {limits: {most: 1.0, least_wait: 0s}}}", Path("some.yaml"))
    limits = parse_strictly(_File, file, lambda _body: ()).places["dev"].limits
    assert limits is not None
    assert limits.least_wait is not None
    assert limits.least_wait.total_seconds() == 0
