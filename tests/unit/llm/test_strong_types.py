"""Connection classes that users define: which of their attributes are secrets, and what their defaults are."""

from __future__ import annotations

import copy
import pickle
from typing import ClassVar

import pytest

from flowyard.engine.tool import Secret
from flowyard.llm.connection import (
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
    as_declared,
)


class Search(CustomStrongTypeConnection):
    """As annotations are without being evaluated: this module has the future import."""

    KIND: ClassVar[str] = "search"
    token: Secret
    spare: Secret = "spare token"
    place: str
    size: str = "big"


class NearSearch(Search):
    size: str = "small"
    radius: str = "5"


def custom() -> CustomConnection:
    configs = {"place": "north", "promptflow.connection.custom_type": "Search"}
    return CustomConnection({"token": "abc1234"}, configs, name="c")


def test_values_defaults_and_secrets():
    search = custom().to_strong_type(Search)
    assert (search.token, search.place, search.size, search.spare) == ("abc1234", "north", "big", "spare token")
    assert search.configs == {**custom().configs, "size": "big"}
    assert search.secrets == {"token": "abc1234", "spare": "spare token"}
    assert search.is_secret("token")
    assert not search.is_secret("place")
    assert search.KIND == "search"


def test_a_value_beats_the_default_whichever_part_it_stands_in():
    assert Search({"token": "t"}, {"size": "tiny"}).size == "tiny"
    assert Search({"token": "t", "size": "hidden"}).size == "hidden"
    assert Search({"token": "t", "size": "hidden"}).configs == {}


def test_defaults_are_inherited_and_replaced():
    near = custom().to_strong_type(NearSearch)
    assert (near.size, near.radius, near.spare) == ("small", "5", "spare token")
    assert near.is_secret("spare")
    assert Search({}, {}).size == "big"


def test_what_is_not_set_is_said():
    with pytest.raises(AttributeError, match="place"):
        _ = Search({"token": "t"}, name="c").place


def test_it_is_never_shown_and_can_be_copied():
    search = custom().to_strong_type(Search)
    assert "abc1234" not in repr(search)
    assert "spare token" not in repr(search)
    assert copy.deepcopy(search) == search
    assert pickle.loads(pickle.dumps(search)) == search


def test_as_declared():
    found = custom()
    assert isinstance(as_declared(found, [Search]), Search)
    assert isinstance(as_declared(found, [OpenAIConnection, NearSearch]), NearSearch)
    assert as_declared(found, [CustomConnection, Search]) is found
    assert as_declared(found, [OpenAIConnection]) is found
    other = OpenAIConnection("k")
    assert as_declared(other, [Search]) is other
    strong = found.to_strong_type(Search)
    assert as_declared(strong, [Search]) is strong
