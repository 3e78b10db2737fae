"""The ways to people that a policy may name."""

from __future__ import annotations

import pytest

from flowyard.errors import UserError
from flowyard.notify import check_target, open_notifier, open_notifiers


@pytest.mark.parametrize("target", ["mailto:a@b.test", "slack:SLACK_URL", "teams:_T2", "webhook:HOOK"])
def test_well_formed_ones(target: str):
    check_target(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("slck:X", "'slck:X' is no way"),
        ("slack", "'slack' is no way"),
        ("https://hooks.example.com/secret", "A target is no way"),
        ("slack:https://hooks.example.com/secret", "takes the name of a variable"),
        ("webhook:", "takes the name of a variable"),
        ("mailto:nobody", "no e-mail address"),
    ],
)
def test_others_are_refused_without_showing_what_may_be_a_secret(target: str, message: str):
    with pytest.raises(UserError, match=message) as raised:
        check_target(target)
    assert "hooks.example.com" not in f"{raised.value} {raised.value.hint}"


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(UserError, match="the variable SLACK_URL is not set"):
        open_notifier("slack:SLACK_URL", {"SLACK_URL": " "})


def test_all_of_a_policy_in_order():
    environ = {"A": "https://a.test/x", "FLOWYARD_SMTP_URL": "smtp://h", "FLOWYARD_SMTP_FROM": "f@h.test"}
    found = open_notifiers(["slack:A", "mailto:ann@b.test", "webhook:A"], environ)
    assert [(each.label, each.person) for each in found] == [
        ("slack:A", None),
        ("mailto:ann@b.test", "ann@b.test"),
        ("webhook:A", None),
    ]
