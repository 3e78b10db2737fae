"""Our protobuf as Google's library reads it, and samplers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from span_collector import read_protobuf

from flowyard.errors import UserError
from flowyard.spans import Failure, Sampler, Span
from flowyard.spans.otlp_json import export_request, span_json
from flowyard.spans.otlp_protobuf import to_protobuf

TEXT = st.text(max_size=20)
LEAVES = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(TEXT, inner, min_size=1, max_size=3)
)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**count - 1).map(lambda number: f"{number:0{count}x}")


SPANS = st.builds(
    Span,
    digits(32),
    digits(16),
    st.none() | digits(16),
    TEXT.filter(bool),
    st.sampled_from(["internal", "server", "client"]),
    st.integers(1, 2**63),
    st.integers(1, 2**63),
    st.dictionaries(TEXT.filter(bool), VALUES, max_size=3),
    st.none() | st.builds(Failure, TEXT.filter(bool), TEXT.filter(bool), TEXT),
)


@given(st.lists(SPANS, min_size=1, max_size=3))
def test_protobuf_and_json_say_the_same(spans: list[Span]):
    form = export_request(map(span_json, spans), {"service.name": "s"})
    assert plain(read_protobuf(to_protobuf(form))) == plain(form)


def plain(form: object) -> object:
    """Without the differences that mean nothing: what is empty may be left out, but for a value."""
    if isinstance(form, dict):
        return {name: plain(value) for name, value in form.items() if value != [] and (name, value) != ("key", "")}
    return [plain(each) for each in form] if isinstance(form, list) else form


def test_values_without_a_form_of_their_own_are_text():
    values = {"none": None, "nan": float("nan"), "large": 2**70, "set": {1}, "half": "\ud800"}
    found = span_json(Span("a" * 32, "b" * 16, None, "n", "internal", 1, 2, values))["attributes"]
    texts = {each["key"]: each["value"].get("stringValue") for each in found}
    assert texts == {"none": None, "nan": "nan", "large": str(2**70), "set": "[1]", "half": "?"}


@given(digits(32), st.floats(0, 1), st.sampled_from([None, "00", "01", "ff"]))
def test_samplers(trace: str, share: float, flags: str | None):
    assert Sampler.read("", "").keeps(trace, flags) is (flags != "00")
    assert Sampler.read("always_off", "").keeps(trace, flags) is False
    part = Sampler.read("traceidratio", str(share))
    assert not part.keeps(trace, flags) or Sampler.read("traceidratio", "1").keeps(trace, flags)
    assert part.keeps(trace, None) == (int(trace[16:], 16) < round(share * 2**64))


@pytest.mark.parametrize("text", ["-1", "2", "half", "nan"])
def test_a_share_that_is_none(text: str):
    with pytest.raises(UserError, match="OTEL_TRACES_SAMPLER_ARG"):
        Sampler.read("traceidratio", text)
