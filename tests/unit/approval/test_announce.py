"""People are told what they decide on; whether that works changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from approval_office import Office

from flowyard.abc import Notifier
from flowyard.approval.announce import announce, link_claimant
from flowyard.approval.facts import read_facts
from flowyard.approval.link_place import LinkPlace
from flowyard.approval.links import LinkSigner
from flowyard.approval.model import ApprovalPolicy, ApprovalState
from flowyard.approval.notice import request_notice
from flowyard.errors import OutsideError
from flowyard.notify import Notice, open_notifier

SIGNER = LinkSigner(b"k" * 32)
PLACE = LinkPlace("https://approvals.example.com", SIGNER)
REPORT = {
    "title": "exp/20240501-run-key: best",
    "verdict": "inconclusive",
    "gates": [{"gate": "accuracy >= 0.9", "verdict": "pass", "reason": "0.917 is at least 0.9."}],
    "metrics": {
        "accuracy": {"value": 0.917, "low": 0.88, "high": 0.95, "higher_is_better": True},
        "latency_ms": {"value": 210, "higher_is_better": False},
        "new": 1,
    },
    "serving": {"label": "triage:3", "metrics": {"accuracy": 0.9, "latency_ms": 190, "gone": 2}},
    "links": [{"label": "diff", "url": "https://example.com/diff"}, {"label": "x", "url": "javascript:alert(1)"}],
    "simulated": True,
}


class Listener(Notifier):
    """Keeps what it is sent, or fails."""

    def __init__(self, label: str, person: str | None, error: OutsideError | None = None) -> None:
        self.label, self.person, self.error = label, person, error
        self.notices: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        if self.error:
            raise self.error
        self.notices.append(notice)


def test_a_notice_has_what_is_decided_on_and_no_run(tmp_path: Path):
    office = Office(tmp_path)
    asked = office.desk.request(office.asked().request.subject, REPORT, ApprovalPolicy(), "rita")
    notice = request_notice(asked.request)
    assert notice.title == "Approval needed: triage:3 to prod (endpoint)"
    assert "rita asks" in notice.text
    assert "Now serves: triage:3" in notice.text
    assert "until 2024-05-01 13:00 UTC" in notice.text
    assert f"flowyard approval approve {asked.request.id}" in notice.text
    assert dict(notice.rows) == {
        "Gates": "inconclusive",
        "accuracy": "0.917 (0.880 to 0.950) (now 0.900, +0.017, better)",
        "latency_ms": "210 (now 190, +20, worse)",
        "new": "1",
        "gone": "– (now 2)",
        "accuracy >= 0.9": "pass: 0.917 is at least 0.9.",
        "Warning": "The answers came from a simulated model.",
    }
    assert [(link.label, link.url) for link in notice.links] == [("diff (example.com)", "https://example.com/diff")]
    assert "run-key" not in repr(notice)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"metrics": [1], "gates": {"a": 1}, "serving": "x", "links": "y", "warnings": 3, "verdict": ["pass"]},
        {"metrics": {"a": {"value": {"b": 1}, "low": "x"}}, "gates": [1, {"verdict": "pass"}, {"gate": None}]},
        {"links": [{"url": 3}, {"url": "http://[::1"}, {"url": "https://a b"}, {"url": "//x"}]},
        {"metrics": {"a": float("nan"), "b": True, "c": None, "d": 10**400}},
    ],
)
def test_a_report_of_any_shape_can_be_shown(report: Mapping[str, object]):
    facts = read_facts(report)
    assert facts.links == []
    assert facts.verdict is None


def told(office: Office, listeners: Mapping[str, Notifier], **policy: object) -> tuple[object, list[object]]:
    request = office.asked(notify=tuple(listeners), **policy).request
    announced = announce(office.desk, request, {}, PLACE, lambda target, _: listeners[target])
    return request, list(announced)


def test_each_person_gets_a_link_of_their_own(tmp_path: Path):
    ann, ben = Listener("mailto:ann@a.test", "ann@a.test"), Listener("mailto:ben@a.test", "ben@a.test")
    told(Office(tmp_path), {each.label: each for each in (ann, ben)}, approvers=("Ann <ann@a.test>",))
    claims = [SIGNER.read(each.notices[0].links[0].url.rpartition("/")[2]) for each in (ann, ben)]
    assert [(claim.approver, claim.purpose) for claim in claims if claim] == [
        ("Ann <ann@a.test>", "answer"),
        ("", "look"),
    ]


@pytest.mark.parametrize(
    ("person", "policy", "claimant"),
    [
        ("ann@a.test", {}, "ann@a.test"),
        ("ann@a.test", {"approvers": ("Ann <ann@a.test>",)}, "Ann <ann@a.test>"),
        ("eve@a.test", {"approvers": ("Ann <ann@a.test>",)}, None),
        ("rita", {"self_approval": False}, None),
        ("rita", {}, "rita"),
        (None, {}, ""),
        (None, {"self_approval": False}, None),
        (None, {"approvals": 2}, None),
        (None, {"approvers": ("ann",)}, None),
    ],
)
def test_who_answers_with_a_link(tmp_path: Path, person: str | None, policy: dict[str, object], claimant: str | None):
    assert link_claimant(Office(tmp_path).asked(**policy).request, person) == claimant


def test_a_failure_is_told_and_recorded_and_decides_nothing(tmp_path: Path):
    office = Office(tmp_path)
    broken = Listener("slack:S", None, OutsideError("slack:S: status 502.", hint="later"))
    good = Listener("teams:T", None)
    request, announced = told(office, {"slack:S": broken, "teams:T": good})
    assert [(each.target, each.problem, each.hint) for each in announced] == [  # type: ignore[attr-defined]
        ("slack:S", "slack:S: status 502.", "later"),
        ("teams:T", None, None),
    ]
    assert len(good.notices) == 1
    assert office.desk.get(request.id).state is ApprovalState.PENDING  # type: ignore[attr-defined]
    chain = office.desk.ledger.read()
    assert chain.problem is None
    assert chain.entries[-1].kind == "notices"
    assert "status 502" in chain.entries[-1].text


def test_what_cannot_be_opened_is_told_without_the_secret(tmp_path: Path):
    office = Office(tmp_path)
    request = replace(
        office.asked().request, policy=ApprovalPolicy(notify=("slack:https://hooks.test/secret", "slack:UNSET"))
    )
    announced = announce(office.desk, request, {}, None, open_notifier)
    assert "secret" not in repr(announced).replace("is a secret", "")
    assert [each.target for each in announced] == ["slack", "slack:UNSET"]
    assert "UNSET is not set" in (announced[1].problem or "")


def test_nobody_is_told_when_nobody_is_named(tmp_path: Path):
    office = Office(tmp_path)
    request = office.asked().request
    assert announce(office.desk, request, {}, PLACE) == ()
    assert office.desk.ledger.read().entries[-1].kind == "request"


def test_a_link_of_the_report_does_not_look_like_the_one_to_answer(tmp_path: Path):
    links = [{"label": "Look and answer", "url": f"https://evil.example/{n}"} for n in range(100)]
    asked = Office(tmp_path).desk.request(
        Office(tmp_path).asked().request.subject, {"links": links}, ApprovalPolicy(), "rita"
    )
    notice = request_notice(asked.request)
    assert {link.label for link in notice.links} == {"Look and answer (evil.example)"}
    assert len(notice.links) == 10
    assert read_facts({"links": [{"url": "https://example.com/" + "a" * 2000}]}).links == []
