"""Problems of a file are told in the order of its lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError
from flowyard.gateway.config_file import parse_gateway_file


def test_problems_stand_in_the_order_of_lines_and_say_how_a_key_is_written():
    text = "name: g\nlistn: 127.0.0.1:1\nbackends:\n  a: {url: nowhere}\ncontrol: {listen: 127.0.0.1:2, key: plain}\n"
    with pytest.raises(UserError) as raised:
        parse_gateway_file(parse_yaml(text, Path("gateway.yaml")), {})
    said = raised.value.message
    lines = [line.split(":")[1] for line in said.splitlines() if line.startswith("  gateway.yaml:")]
    assert lines == ["1", "2", "4", "5"]
    assert "write ${NAME} and set that variable" in said
