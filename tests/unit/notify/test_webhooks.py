"""Notices to webhooks: real requests to a real receiver on this machine, which is reached only when it is listed."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.notify import Link, Notice, open_notifier
from flowyard.notify.patience import Patience
from flowyard.notify.webhook import WebhookNotifier

PAGE = Path(__file__).resolve().parents[3] / "docs" / "notifications.md"
SECRET_PATH = "/services/T0-secret-path/B1?token=very-secret"
NOTICE = Notice(
    "Approval needed: triage:4",
    "Ann asks.\nAnswer until 12:00 UTC.",
    (("accuracy", "0.917"), ("<!channel> [x](http://evil.test) *b*", "<http://evil.test|ok> & \u202e\x1b[31m")),
    (Link("Look and answer", "https://approvals.example.com/answer/a|b>c"),),
)


class Receiver:
    """Takes posts and answers with what ``answers`` has, then with 200."""

    def __init__(self) -> None:
        self.posts: list[tuple[Any, bytes]] = []
        self.answers: list[web.Response] = []
        self.paths: list[str] = []
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.take)
        self.server = TestServer(app, host="127.0.0.1")

    async def take(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        self.posts.append((request.headers, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(text="ok")

    @property
    def environ(self) -> dict[str, str]:
        host = f"127.0.0.1:{self.server.port}"
        return {"HOOK": f"http://{host}{SECRET_PATH}", "FLOWYARD_WEBHOOK_HOSTS": host}

    def body(self) -> Any:
        return json.loads(self.posts[-1][1])


class Pauses:
    """Stands for time that passes."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.server.start_server()
    yield made
    await made.server.close()


def notifier(target: str, environ: dict[str, str], pauses: Pauses | None = None, **more: Any) -> WebhookNotifier:
    found = open_notifier(target, environ)
    assert isinstance(found, WebhookNotifier)
    return replace(found, patience=Patience(sleep=(pauses or Pauses()).sleep, **more))


async def failure(found: WebhookNotifier) -> FlowyardError:
    with pytest.raises(FlowyardError) as raised:
        await found.send(NOTICE)
    told = f"{raised.value} {raised.value.hint} {raised.value!r} {found!r}"
    assert "secret" not in told.replace("is a secret", "")
    assert raised.value.__cause__ is None
    return raised.value


async def test_any_webhook_gets_json_signed_with_the_time(receiver: Receiver):
    await notifier("webhook:HOOK", {**receiver.environ, "FLOWYARD_WEBHOOK_SECRET": "s3"}).send(NOTICE)
    headers, body = receiver.posts[0]
    assert receiver.paths == [SECRET_PATH]
    assert json.loads(body)["format"] == "flowyard notice 1"
    assert json.loads(body)["rows"][0] == {"name": "accuracy", "value": "0.917"}
    moment, signature = (part.partition("=")[2] for part in headers["Flowyard-Signature"].split(","))
    assert signature == hmac.new(b"s3", f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["Content-Type"] == "application/json"


async def test_the_page_checks_a_signature_as_it_is_made(receiver: Receiver):
    await notifier("webhook:HOOK", {**receiver.environ, "FLOWYARD_WEBHOOK_SECRET": "s3"}).send(NOTICE)
    code = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    headers, body = receiver.posts[0]
    assert names["is_from_flowyard"](headers["Flowyard-Signature"], body, "s3")
    assert not names["is_from_flowyard"](headers["Flowyard-Signature"], body + b" ", "s3")
    old = headers["Flowyard-Signature"].replace("t=1", "t=0")
    assert not names["is_from_flowyard"](old, body, "s3")


async def test_without_a_key_nothing_is_signed(receiver: Receiver):
    await notifier("webhook:HOOK", receiver.environ).send(NOTICE)
    assert "Flowyard-Signature" not in receiver.posts[0][0]


async def test_slack_gets_blocks_in_which_text_of_others_is_no_markup(receiver: Receiver):
    await notifier("slack:HOOK", receiver.environ).send(NOTICE)
    body = receiver.body()
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "section", "section"]
    fields = body["blocks"][2]["fields"]
    assert {field["type"] for field in fields} == {"plain_text"}
    assert fields[3]["text"] == "<http://evil.test|ok> & [31m"
    link = body["blocks"][3]["text"]["text"]
    assert link == "<https://approvals.example.com/answer/a%7Cb%3Ec|Look and answer>"
    assert body["unfurl_links"] is False


async def test_slack_keeps_to_its_limits(receiver: Receiver):
    long = Notice("t" * 400, "x" * 9000, tuple((f"m{n}", "v" * 3000) for n in range(300)))
    await notifier("slack:HOOK", receiver.environ).send(long)
    blocks = receiver.body()["blocks"]
    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) <= 150
    assert len(blocks[1]["text"]["text"]) <= 3000
    assert all(len(block["fields"]) <= 10 for block in blocks if "fields" in block)


async def test_links_that_are_too_many_do_not_keep_a_message_from_people(receiver: Receiver):
    own = Link("Look and answer", "https://approvals.example.com/answer/abc")
    many = Notice("t", "x", (), (own, *(Link(f"more {n}", "https://example.com/?" + "a&" * 400) for n in range(50))))
    await notifier("slack:HOOK", receiver.environ).send(many)
    text = receiver.body()["blocks"][-1]["text"]["text"]
    assert text.startswith("<https://approvals.example.com/answer/abc|Look and answer>")
    assert len(text) <= 3000
    await notifier("teams:HOOK", receiver.environ).send(many)
    card = receiver.body()["attachments"][0]["content"]
    assert card["actions"][0]["url"] == own.url
    assert len(card["actions"]) <= 6
    assert len(receiver.posts[-1][1]) <= 28 * 1024


async def test_teams_gets_an_adaptive_card_without_markdown(receiver: Receiver):
    await notifier("teams:HOOK", receiver.environ).send(NOTICE)
    attachment = receiver.body()["attachments"][0]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["actions"][0]["type"]) == ("AdaptiveCard", "Action.OpenUrl")
    assert {each["type"] for each in card["body"]} == {"RichTextBlock", "ColumnSet"}


async def test_teams_keeps_to_its_size(receiver: Receiver):
    await notifier("teams:HOOK", receiver.environ).send(
        Notice("t" * 400, "x" * 9000, tuple((f"m{n}" * 99, "v" * 3000) for n in range(300)))
    )
    assert len(receiver.posts[0][1]) <= 28 * 1024


async def test_what_may_pass_is_tried_again_with_growing_pauses(receiver: Receiver):
    receiver.answers = [web.Response(status=status) for status in (503, 500, 429)]
    pauses = Pauses()
    await notifier("webhook:HOOK", receiver.environ, pauses).send(NOTICE)
    assert len(receiver.posts) == 4
    assert len({headers["Flowyard-Delivery"] for headers, _ in receiver.posts}) == 1
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses.taken))


async def test_a_server_is_left_alone_as_long_as_it_asks(receiver: Receiver):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=25), usegmt=True)
    receiver.answers = [web.Response(status=429, headers={"Retry-After": after}) for after in ("17", date)]
    pauses = Pauses()
    await notifier("webhook:HOOK", receiver.environ, pauses).send(NOTICE)
    assert pauses.taken[0] == 17
    assert 2 <= pauses.taken[1] <= 25


async def test_one_that_asks_for_too_long_is_not_asked_again(receiver: Receiver):
    receiver.answers = [web.Response(status=429, headers={"Retry-After": "3600"})]
    error = await failure(notifier("slack:HOOK", receiver.environ))
    assert "status 429" in error.message
    assert len(receiver.posts) == 1


async def test_after_the_last_attempt_it_is_said_that_the_request_stands(receiver: Receiver):
    receiver.answers = [web.Response(status=502, text="very-secret") for _ in range(9)]
    error = await failure(notifier("slack:HOOK", receiver.environ))
    assert isinstance(error, OutsideError)
    assert "slack:HOOK" in error.message
    assert "stands" in (error.hint or "")
    assert len(receiver.posts) == 4


async def test_a_refusal_is_not_tried_again_and_shows_slacks_code_only(receiver: Receiver):
    receiver.answers = [web.Response(status=400, text="invalid_blocks"), web.Response(status=404, text=SECRET_PATH)]
    assert "status 400 (invalid_blocks)" in (await failure(notifier("slack:HOOK", receiver.environ))).message
    assert (await failure(notifier("slack:HOOK", receiver.environ))).message.endswith("status 404.")
    assert len(receiver.posts) == 2


async def test_redirects_are_not_followed(receiver: Receiver):
    receiver.answers = [web.Response(status=307, headers={"Location": receiver.environ["HOOK"]})]
    assert "redirects" in (await failure(notifier("slack:HOOK", receiver.environ))).message
    assert len(receiver.posts) == 1


async def test_a_server_that_is_not_there_is_tried_again():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but it does not listen
        host = f"127.0.0.1:{held.getsockname()[1]}"
        pauses = Pauses()
        environ = {"HOOK": f"http://{host}{SECRET_PATH}", "FLOWYARD_WEBHOOK_HOSTS": host}
        error = await failure(notifier("webhook:HOOK", environ, pauses))
    assert isinstance(error, OutsideError)
    assert len(pauses.taken) == 3


HOSTS_OF_METADATA = [
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "127.0.0.1",
    "127.1",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "10.0.0.8",
    "100.100.100.200",
    "[64:ff9b::a9fe:a9fe]",
]


@pytest.mark.parametrize("host", HOSTS_OF_METADATA)
async def test_only_public_addresses_are_reached(host: str):
    error = await failure(notifier("webhook:HOOK", {"HOOK": f"https://{host}{SECRET_PATH}"}))
    assert isinstance(error, UserError)
    assert "not on the public internet" in error.message or "unusual spelling" in error.message


async def test_a_name_is_looked_up_once_and_the_connection_is_pinned(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    port, asked = receiver.server.port, []

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        addresses = ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    environ = {"HOOK": f"http://hooks.test:{port}/x", "FLOWYARD_WEBHOOK_HOSTS": "hooks.test"}
    await notifier("webhook:HOOK", environ).send(NOTICE)
    assert asked == ["hooks.test"]
    error = await failure(notifier("webhook:HOOK", {"HOOK": f"https://hooks.test:{port}/x"}))
    assert "FLOWYARD_WEBHOOK_HOSTS=hooks.test" in (error.hint or "")


@pytest.mark.parametrize("url", ["ftp://a.test/x", "https://", "//secret", "https://a.test:99999/x", "file:///secret"])
async def test_what_is_no_web_address_is_refused(url: str):
    assert "no complete https address" in (await failure(notifier("slack:HOOK", {"HOOK": url}))).message


async def test_a_signing_key_of_any_bytes(receiver: Receiver):
    await notifier("webhook:HOOK", {**receiver.environ, "FLOWYARD_WEBHOOK_SECRET": "s\udcff3"}).send(NOTICE)
    assert "Flowyard-Signature" in receiver.posts[0][0]


async def test_http_is_for_listed_hosts_only():
    error = await failure(notifier("slack:HOOK", {"HOOK": "http://hooks.example.com/secret"}))
    assert "others could read" in error.message
