from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.settings import Settings


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (None, set()),
        ("", set()),
        (" , ", set()),
        ("a.corp", {"a.corp"}),
        ("a.corp, [::1]:80  b.corp:8080,", {"a.corp", "[::1]:80", "b.corp:8080"}),
    ],
)
def test_image_hosts_are_a_list(text: str | None, hosts: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FLOWYARD_IMAGE_HOSTS", raising=False)
    if text is not None:
        monkeypatch.setenv("FLOWYARD_IMAGE_HOSTS", text)
    assert Settings.read(start=tmp_path).image_hosts == hosts
