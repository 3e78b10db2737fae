"""Fixtures of the tests of evaluators."""

from __future__ import annotations

from pathlib import Path

import nltk
import pytest
from nltk_data import write_nltk_data


@pytest.fixture(scope="session")
def nltk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nltk_data(tmp_path_factory.mktemp("nltk"))


@pytest.fixture
def nltk_data(nltk_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NLTK finds its small data sets and no other."""
    monkeypatch.setattr(nltk.data, "path", [str(nltk_folder)])


@pytest.fixture
def no_nltk_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
