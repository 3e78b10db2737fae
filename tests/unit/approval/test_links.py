"""Links say what they were signed for, and nothing else is a link."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from approval_office import SUBJECT, Office
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.secret_key import SecretKey
from flowyard.approval.link_place import check_page_url, link_place, open_signer
from flowyard.approval.links import LinkSigner
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.notes import parse_time
from flowyard.errors import UserError

SIGNER = LinkSigner(b"k" * 32)
REQUEST = ApprovalRequest(
    "r1", SUBJECT, {}, "d", "rita", "2024-05-01T12:00:00.000+00:00", "2024-05-01T13:00:00.000+00:00"
)


def test_a_link_says_whose_it_is_and_ends_with_its_request():
    claim = SIGNER.read(SIGNER.sign(REQUEST, "Zoë <zoe@example.com>", "answer"))
    assert claim is not None
    assert (claim.request, claim.approver, claim.purpose) == ("r1", "Zoë <zoe@example.com>", "answer")
    end = parse_time(REQUEST.expires_at)
    assert not claim.is_over(end - timedelta(seconds=1))
    assert claim.is_over(end)


def test_two_links_of_one_person_are_two():
    tokens = {SIGNER.sign(REQUEST, "ann", "answer") for _ in range(50)}
    assert len({SIGNER.read(token).id for token in tokens}) == 50  # type: ignore[union-attr]


def test_the_ledger_gets_nothing_that_a_link_could_be_made_of():
    token = SIGNER.sign(REQUEST, "ann", "answer")
    claim = SIGNER.read(token)
    assert claim is not None
    assert claim.id not in token
    assert claim.nonce not in claim.id


def test_another_key_knows_nothing_of_it():
    assert LinkSigner(b"o" * 32).read(SIGNER.sign(REQUEST, "ann", "answer")) is None


@given(place=st.integers(0, 400), letter=st.characters())
def test_every_changed_letter_is_seen(place: int, letter: str):
    token = SIGNER.sign(REQUEST, "ann", "look")
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    assert changed == token or SIGNER.read(changed) is None


@given(st.text())
def test_no_other_text_is_a_link(text: str):
    assert SIGNER.read(text) is None
    assert SIGNER.read(f"{text}.{text}") is None


def test_a_claim_cannot_be_exchanged():
    payload, _, mac = SIGNER.sign(REQUEST, "ann", "look").partition(".")
    claim = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claim[2] = "answer"
    forged = base64.urlsafe_b64encode(json.dumps(claim).encode()).rstrip(b"=").decode()
    assert SIGNER.read(f"{forged}.{mac}") is None


def test_a_form_belongs_to_one_link_and_one_browser():
    first, second = (SIGNER.read(SIGNER.sign(REQUEST, "ann", "answer")) for _ in range(2))
    assert first is not None
    assert second is not None
    token = SIGNER.form_token(first, "visit")
    assert SIGNER.is_form_token(first, "visit", token)
    assert not SIGNER.is_form_token(first, "another", token)
    assert not SIGNER.is_form_token(second, "visit", token)
    assert not SIGNER.is_form_token(first, "visit", "ö\ud800")
    assert SIGNER.read(f"{first.nonce} visit.{token}") is None


def test_the_key_is_that_of_the_ledger_but_for_links_only(tmp_path: Path):
    office = Office(tmp_path)
    request = office.asked().request
    key = SecretKey(office.key, {})
    place = link_place({"FLOWYARD_APPROVAL_URL": "https://Approvals.example.com/"}, key)
    assert place is not None
    url = place.link(request, "ann", "answer").url
    assert url.startswith("https://approvals.example.com/answer/")
    assert open_signer(SecretKey(office.key, {})).read(url.rpartition("/")[2]) is not None
    assert LinkSigner(key.derived(b"another use")).read(url.rpartition("/")[2]) is None
    assert "key=" not in repr(place)


def test_without_an_address_there_are_no_links(tmp_path: Path):
    assert link_place({}, SecretKey(tmp_path / "key", {})) is None
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(
    "url",
    [
        "approvals.example.com",
        "http://approvals.example.com",
        "https://u:p@approvals.example.com",
        "https://approvals.example.com/flowyard",
        "https://approvals.example.com/?x=1",
        "ftp://approvals.example.com",
        "https://approvals.example.com:x",
        "",
    ],
)
def test_links_go_over_https_only(url: str):
    with pytest.raises(UserError):
        check_page_url(url, "--public-url")


@pytest.mark.parametrize(
    "url", ["https://a.example.com", "http://localhost:8765", "http://127.0.0.1:1", "http://[::1]:9"]
)
def test_or_stay_on_this_machine(url: str):
    assert check_page_url(url + "/", "--public-url") == url


def test_a_request_of_long_names_has_a_link_that_can_be_read():
    subject = replace(SUBJECT, name="n" * 200)
    token = SIGNER.sign(replace(REQUEST, subject=subject), "ä" * 200, "answer")
    assert SIGNER.read(token) is not None
