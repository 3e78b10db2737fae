from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.errors import UserError
from flowyard.llm.envfile import parse_env, read_env


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=v", "v"),
        ("export K = v w  # note", "v w"),
        ("K=a#b", "a#b"),
        ("K=", ""),
        ("K= # nothing", ""),
        ("K='a # b' # note", "a # b"),
        (r'K="a\n\"b\" \d"', 'a\n"b" \\d'),
        ('K={"api_key": "a # b"} # note', '{"api_key": "a # b"}'),
        ("K='{\"a\": 1}'", '{"a": 1}'),
        ("K=a=b", "a=b"),
        ("K={not json", "{not json"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert parse_env(f"# head\n\n{line}\r\n") == {"K": value}


def test_names_with_blanks_and_dashes() -> None:
    assert parse_env("my-conn=1\nmy conn=2") == {"my-conn": "1", "my conn": "2"}


@pytest.mark.parametrize("line", ["s3cret", "=s3cret", "K='s3cret", 'K="s3" s3cret'])
def test_errors_name_the_line_and_never_the_value(line: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_env(f"A=1\n{line}", "folder/.env")
    assert caught.value.where == "folder/.env:2"
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File not found"):
        read_env(tmp_path / ".env")
