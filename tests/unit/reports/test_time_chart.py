"""Lines over time: everything is drawn inside, whatever the numbers are, and names are text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from flowyard.reports.time_chart import Line, Moment, time_chart

START = datetime(2026, 3, 1, tzinfo=UTC)
VALUES = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-9, 1e150, float("nan"), float("inf")])
SPANS = st.none() | st.tuples(VALUES, VALUES)
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")


def line(values: list[tuple[float, tuple[float, float] | None]], *, stays: bool, name: str = "b") -> Line:
    moments = [
        Moment(START + timedelta(minutes=place), value, *(span or (None, None)))
        for place, (value, span) in enumerate(values)
    ]
    return Line(name, 1, moments, stays)


@given(st.lists(st.tuples(VALUES, SPANS), max_size=6), st.booleans(), st.lists(st.floats(0, 10), max_size=1))
def test_everything_is_drawn_inside(
    values: list[tuple[float, tuple[float, float] | None]], stays: bool, limits: list[float]
):
    chart = time_chart("t", "n", [line(values, stays=stays)], [("most", each) for each in limits])
    if chart is None:
        assert all(value in (float("inf"),) or value != value for value, _ in values)
        return
    drawing = ElementTree.fromstring(chart.svg)
    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    for each in drawing.iter():
        for corner in each.get("points", "").split():
            x, y = map(float, corner.split(","))
            assert -0.1 <= x <= width + 0.1
            assert -0.1 <= y <= height + 0.1
        assert all(float(found) >= -0.1 for found in NUMBERS.findall(each.get("d", "")))


def test_names_are_text_and_one_moment_is_a_dot():
    chart = time_chart("<t>", "n", [line([(0.5, (0.1, 0.9))], stays=False, name="<b onload=x>")], [("<i>", 0.7)])
    assert chart is not None
    tags = [each.tag for each in ElementTree.fromstring(chart.svg).iter()]
    assert "circle" in tags
    assert {"b", "i", "t"} & set(tags) == set()
    assert time_chart("t", "n", []) is None


def test_lines_of_one_moment_stand_side_by_side_above_its_time():
    one = [(0.5, (0.1, 0.9))]
    chart = time_chart("t", "n", [line(one, stays=False, name=name) for name in ("a", "b")])
    assert chart is not None
    drawn = list(ElementTree.fromstring(chart.svg).iter())
    dots = [float(each.attrib["cx"]) for each in drawn if each.tag == "circle"]
    (time,) = (each for each in drawn if each.text == "00:00:00")
    assert dots[1] - dots[0] > 9, "wider than a dot"
    assert abs(sum(dots) / 2 - float(time.attrib["x"])) < 1
    assert time.attrib["text-anchor"] == "middle"


def test_lines_at_the_same_places_are_all_seen():
    values = [[(0.5, None), (0.7, None)], [(0.5, None), (0.7, None)], [(0.1, None), (0.2, None)]]
    chart = time_chart("t", "n", [line(each, stays=False) for each in values])
    assert chart is not None
    drawn = [each for each in ElementTree.fromstring(chart.svg).iter() if each.tag == "polyline"]
    assert [each.get("stroke-dasharray") for each in drawn] == [None, "8 8", None]
    level = [line([(0.5, None)] * count, stays=count == 2) for count in (2, 3, 4)]
    chart = time_chart("t", "n", level)
    assert chart is not None
    drawn = [each for each in ElementTree.fromstring(chart.svg).iter() if each.tag == "polyline"]
    assert [each.get("stroke-dashoffset") for each in drawn] == [None, "-8", "-16"]
