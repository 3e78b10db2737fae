"""The block ``approval`` of experiment.yaml: every form, and every mistake with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from approval_office import patient
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.durations import parse_duration
from flowyard._util.yamlfile import parse_yaml
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.policy import parse_approval_block, read_approval_policy
from flowyard.errors import ExperimentInvalid
from flowyard.experiments.load import load_experiment

WHOLE = """\
approval:
  timeout: 1h30m
  approvals: 2
  approvers: [ann, Bob <bob@example.com>]
  self_approval: false
  notify: ['mailto:team@example.com', 'slack:SLACK_URL', 'teams:TEAMS', 'webhook:HOOK']
  valid_for: 1d
"""


def policy_of(text: str) -> ApprovalPolicy:
    file = parse_yaml(text, Path("experiment.yaml"))
    return parse_approval_block(file.data["approval"], file, "approval")


def test_every_key():
    assert policy_of(WHOLE) == ApprovalPolicy(
        timeout=timedelta(minutes=90),
        approvals=2,
        approvers=("ann", "Bob <bob@example.com>"),
        self_approval=False,
        notify=("mailto:team@example.com", "slack:SLACK_URL", "teams:TEAMS", "webhook:HOOK"),
        valid_for=timedelta(days=1),
    )


def test_nothing_is_the_default():
    assert policy_of("approval: {}") == policy_of("approval:") == ApprovalPolicy()
    assert ApprovalPolicy().timeout == timedelta(minutes=60)


def test_every_problem_at_once_with_its_line():
    text = """\
approval:
  timeout: 60
  approvals: 0
  aprovers: [ann]
  self_approval: maybe
  notify: ['https://hooks.example.com/secret']
  valid_for: soon
"""
    with pytest.raises(ExperimentInvalid) as caught:
        policy_of(text)
    said = str(caught.value)
    for line in range(2, 8):
        assert f"experiment.yaml:{line}:" in said
    assert "approvers" in said
    assert "hooks.example.com" not in said, "such an address is a secret"


@pytest.mark.parametrize(
    "block",
    [
        "{approvals: 3, approvers: [ann, bob]}",
        "{approvals: 2, approvers: [ann, Ann <ann@example.com>]}",
        "{approvers: ['']}",
        "{approvers: [12]}",
        "{notify: [someone]}",
        "{notify: ['mailto:a@b?cc=c@d']}",
        "[ann]",
        "yes please",
        "{timeout: 31d}",
        "{timeout: 0m}",
    ],
)
def test_what_nobody_could_meet_or_read(block: str):
    with pytest.raises(ExperimentInvalid, match=r"experiment\.yaml:1"):
        policy_of(f"approval: {block}")


@patient
@given(st.integers(0, 20), st.integers(0, 100), st.integers(0, 300), st.integers(1, 3000))
def test_any_duration(days: int, hours: int, minutes: int, seconds: int):
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@patient
@given(st.text(max_size=8))
def test_any_text_is_a_duration_or_refused(text: str):
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta(0) < duration <= timedelta(days=30)


def test_an_overlay_has_its_own(tmp_path: Path):
    (tmp_path / "echo").mkdir()
    (tmp_path / "echo" / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n")
    (tmp_path / "data.jsonl").write_text('{"x": "1"}\n')
    (tmp_path / "experiment.yaml").write_text(
        "name: echo\nflow: echo\ndatasets:\n- {name: d, source: data.jsonl, mappings: {x: '${data.x}'}}\n"
        "approval: {approvals: 2}\n"
    )
    (tmp_path / "experiment.prod.yaml").write_text("approval: {approvals: 3, timeout: 2h}\n")
    (tmp_path / "experiment.dev.yaml").write_text("approval:\n")

    def policy(env: str | None) -> ApprovalPolicy:
        return read_approval_policy(load_experiment(tmp_path, env))

    assert policy(None) == ApprovalPolicy(approvals=2)
    assert policy("prod") == ApprovalPolicy(approvals=3, timeout=timedelta(hours=2))
    assert policy("dev") == ApprovalPolicy()
