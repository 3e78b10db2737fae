"""Files that begin with YAML between two fences."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.flows.front_matter import parse_front_matter, read_front_matter

HERE = Path("a.prompty")

fences = st.builds(lambda dashes, blanks: "-" * dashes + blanks, st.integers(3, 20), st.text(" \t", max_size=3))
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
templates = st.lists(
    st.one_of(fences, st.sampled_from(["user:", "--", " ---", "--- x", "a: b", ""]), st.text("ab {}%\x0b\x85\u2028")),
    max_size=8,
)


@given(
    fences, fences, st.dictionaries(st.text("abc", min_size=1), st.integers()), templates, line_ends, st.integers(0, 3)
)
def test_the_first_two_fences_count(
    opening: str, closing: str, data: dict[str, int], template: list[str], end: str, blank: int
) -> None:
    yaml = [f"{key}: {value}" for key, value in data.items()]
    text = end.join([*[""] * blank, opening, *yaml, closing, *template])
    found = parse_front_matter(text, HERE)
    assert found.yaml.data == (data or None)
    assert found.text == "\n".join(template)
    assert found.first_line == blank + len(yaml) + 3
    assert not found.ignored
    for index, key in enumerate(data):
        assert found.yaml.where(key) == f"a.prompty:{blank + 2 + index}"


@given(
    st.lists(st.sampled_from(["--", "- -", "----x", " ---", "a: b", "", "-", "\u2014\u2014\u2014"]), max_size=6),
    line_ends,
)
def test_what_only_looks_like_a_fence_is_none(lines: list[str], end: str) -> None:
    with pytest.raises(UserError, match="no front matter"):
        parse_front_matter(end.join(lines), HERE)
    with pytest.raises(UserError, match="not closed"):
        parse_front_matter(end.join(["---", *lines]), HERE)


def test_a_byte_order_mark_is_let_pass(tmp_path: Path) -> None:
    path = tmp_path / "a.prompty"
    path.write_bytes(b"\xef\xbb\xbf---\r\nname: x\r\n---\r\nuser:\r\nhi\r\n")
    found = read_front_matter(path)
    assert (found.yaml.data, found.text) == ({"name": "x"}, "user:\nhi\n")


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("user:\nhi\n", "a.prompty:1", "no front matter"),
        ("", "a.prompty:1", "no front matter"),
        ("\n---\nname: x\n", "a.prompty:2", "not closed"),
        ("---\nname: [x\n---\nhi", "a.prompty:2", "Not valid YAML"),
    ],
)
def test_what_is_wrong_is_said(text: str, where: str, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        parse_front_matter(text, HERE)
    assert str(caught.value.where).startswith(where)


def test_text_before_the_first_fence_means_nothing() -> None:
    found = parse_front_matter("# A title\n---\nname: x\n---\nhi", HERE)
    assert (found.yaml.data, found.text, found.ignored) == ({"name": "x"}, "hi", True)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "b.prompty").write_bytes(b"---\n\xff\n---\n")
    for name, word in (("a.prompty", "not found"), ("b.prompty", "UTF-8"), (".", "Cannot read")):
        with pytest.raises(UserError, match=word):
            read_front_matter(tmp_path / name)
