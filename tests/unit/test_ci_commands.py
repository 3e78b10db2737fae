"""What CI systems would carry out is not in the log as it stands."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.ci_commands import without_ci_commands, without_ci_commands_in_json

PIECES = st.lists(st.sampled_from(["::", "##", "vso[", "VSO[", "[", "#", ":", " ", "\n", "x", "\\"]), max_size=12).map(
    "".join
)


@given(PIECES)
def test_no_line_is_a_command(text: str):
    shown = without_ci_commands(text)
    assert not any(line.strip().startswith("::") for line in shown.split("\n"))
    assert "##[" not in shown
    assert "##vso[" not in shown.lower()
    assert shown.replace("\u200b", "") == text


@given(PIECES)
def test_json_stays_the_same_value(text: str):
    shown = without_ci_commands_in_json(json.dumps({"said": text}))
    assert json.loads(shown) == {"said": text}
    assert "##[" not in shown
    assert "##vso[" not in shown.lower()
