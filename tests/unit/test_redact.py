"""Secrets do not survive in text, however they are quoted in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.redact import HIDDEN, redact
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
