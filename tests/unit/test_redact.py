"""Secrets do not survive in text, however they are quoted in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.redact import HIDDEN, may_be_secret, redact
from flowyard.cli.shared.output import print_warnings
from flowyard.llm.connection import CustomConnection

PEM = "-----BEGIN KEY-----\nMIIsecret\"body'\\\n-----END KEY-----"


@pytest.mark.parametrize("text", [PEM, repr(PEM), json.dumps({"key": PEM}), repr({"key": PEM})])
def test_every_quoting_is_hidden(text: str) -> None:
    assert "secret" not in redact(text, [PEM])
    assert "secret" not in CustomConnection(secrets={"key": PEM}, configs={}).redact(text)


@given(st.text(min_size=4), st.text(), st.text())
def test_nothing_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    shown = redact(f"{before}{secret}{after}", [secret])
    assert secret not in shown or secret in HIDDEN + before + after or secret in before + HIDDEN + after


def test_a_longer_secret_goes_first() -> None:
    assert redact("abcdefgh", ["abcd", "abcdefgh"]) == HIDDEN


def test_short_values_stay() -> None:
    assert redact("on", ["on"]) == "on"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("api_key", "apiKey", "x-api-key", "client_secret", "Authorization", "token")),
        *((name, False) for name in ("max_tokens", "ignore_keys", "keyword", "model", "secretary", "tokens")),
    ],
)
def test_names_of_options_that_may_be_secret(name: str, expected: bool):
    assert may_be_secret(name) is expected


def test_warnings_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]):
    print_warnings(["grade\x1b]0;owned\x07\x9b2J: 3 lines have no value"])
    said = capsys.readouterr().err
    assert "3 lines have no value" in said
    assert not {"\x1b", "\x07", "\x9b"} & set(said)
