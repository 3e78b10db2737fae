"""Whose name it is: nobody counts twice by another spelling, and nobody becomes an approver by one."""

from __future__ import annotations

import pytest

from flowyard.approval.names import count_people, find_approver, is_approver, require_name, same_person
from flowyard.errors import UserError

ANN = "Ann <ann@example.com>"


@pytest.mark.parametrize(
    "other",
    [
        ANN,
        "ann",
        "ANN",
        "  Ann ",
        "ann@example.com",
        "<ANN@EXAMPLE.COM>",
        "Somebody <ann@example.com>",
        "Somebody <ann+work@example.com>",
        "ann@example.com.",
        '"ann"@example.com',
        "\uff41\uff4e\uff4e",  # wide letters
        "\u0430nn",  # a Cyrillic letter
        "\u0391nn",  # a Greek one
        "\u00e1nn",
        "ann\ufe0f",  # a sign that shows nothing
        "ann\u3164",
        "Ann <eve@example.com>",
        "Eve <eve@example.com> <ann@example.com>",
        "Eve <\uff41nn\uff20example.com>",
    ],
)
def test_names_that_may_be_of_one_person(other: str):
    assert same_person(ANN, other)
    assert same_person(other, ANN)
    assert count_people([ANN, other]) == 1


@pytest.mark.parametrize("other", ["Bob", "anna", "Bob <bob@example.com>", "ann.smith@example.com", "example.com"])
def test_names_of_two_people(other: str):
    assert not same_person(ANN, other)
    assert count_people([ANN, other]) == 2


def test_the_account_and_the_address_that_begins_with_it_may_be_one_person():
    assert same_person("root", "root <root@example.com>")
    assert same_person("ann", "ann@example.com")
    assert not same_person("ann@one.example", "ann@two.example")


@pytest.mark.parametrize("name", [ANN, "ann", "Ann", "ann@example.com", "Anna <ANN@example.com>"])
def test_an_approver_by_name_or_by_address(name: str):
    assert find_approver(name, ["Bob", ANN]) == ANN


@pytest.mark.parametrize(
    "name",
    [
        "Ann <eve@example.com>",
        "ann@example.com <eve@example.com>",
        "Eve <ann+eve@example.com>",
        "\u0430nn",
        "ann\ufe0f",
        "eve",
    ],
)
def test_nobody_becomes_an_approver_by_a_name_that_resembles_one(name: str):
    assert find_approver(name, [ANN]) is None
    assert not is_approver(name, [ANN])
    assert not is_approver(name, ["ann@example.com"])


def test_who_is_listed_by_address_is_not_known_by_the_name_alone():
    assert not is_approver("ann", ["ann@example.com"])
    assert is_approver("Ann <ann@example.com>", ["ann"])
    assert is_approver("anyone", [])


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "\u3164", "x" * 201])
def test_what_is_no_name(name: str):
    with pytest.raises(UserError):
        require_name(name)
