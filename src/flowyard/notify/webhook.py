"""Notices to webhooks: a request with JSON to a URL that is a secret.

The URL stands in a variable and may be wrong or chosen by others, so only public addresses are reached unless a person
lists the host, redirects are not followed, and neither errors nor logs have more of the URL than its host.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from flowyard._util.addresses import is_listed
from flowyard._util.pinned import Purpose, pinned_connector
from flowyard._util.retry_after import parse_retry_after
from flowyard.abc import Notifier
from flowyard.errors import OutsideError, UserError
from flowyard.notify.model import Notice
from flowyard.notify.patience import Patience, TryAgain, try_patiently

__all__ = ["HOSTS_VARIABLE", "WebhookNotifier"]

HOSTS_VARIABLE = "FLOWYARD_WEBHOOK_HOSTS"

_PURPOSE = Purpose("nothing is sent to it", HOSTS_VARIABLE, shows_path=False)
_AGAIN = frozenset({408, 425, 429})
_CODE = re.compile(r"[a-z]+(_[a-z]+){0,5}")
"""What Slack answers to a request it refuses, such as ``invalid_blocks``; nothing else of an answer is shown."""
_MOST_ANSWER = 200


@dataclass(frozen=True, slots=True)
class WebhookNotifier(Notifier):
    """Posts what ``compose`` makes of a notice. With ``signing_key``, a header signs the time and the body."""

    label: str
    url: str = field(repr=False)
    compose: Callable[[Notice], Mapping[str, Any]]
    hosts: frozenset[str] = frozenset()
    signing_key: str = field(default="", repr=False)
    patience: Patience = Patience()
    person: None = None

    async def send(self, notice: Notice) -> None:
        url = self._parsed()
        body = json.dumps(self.compose(notice), ensure_ascii=False).encode("utf-8", "backslashreplace")
        delivery = str(uuid.uuid4())  # the same for every attempt, so that a receiver can tell a repetition
        await try_patiently(self.patience, lambda: self._attempt(url, body, delivery))

    async def _attempt(self, url: URL, body: bytes, delivery: str) -> None:
        try:
            async with asyncio.timeout(self.patience.timeout_s):
                await self._post(url, body, delivery)
        except TimeoutError:
            raise TryAgain(self._unreached(f"no answer within {self.patience.timeout_s:g} seconds")) from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryAgain(self._unreached(type(error).__name__)) from None

    async def _post(self, url: URL, body: bytes, delivery: str) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "flowyard", "Flowyard-Delivery": delivery}
        connector = await pinned_connector(url, self.hosts, _PURPOSE)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        sent = {**headers, **self._signature(body)}
        async with session, session.post(url, data=body, headers=sent, allow_redirects=False) as response:
            await self._require_accepted(response)

    async def _require_accepted(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status in _AGAIN or status >= 500:
            raise TryAgain(self._unreached(f"status {status}"), parse_retry_after(response.headers))
        if 300 <= status < 400:
            hint = f"Put the final address into the variable of {self.label}."
            raise UserError(f"{self.label}: the webhook redirects elsewhere, which is not followed.", hint=hint)
        said = (await response.content.read(_MOST_ANSWER)).decode("ascii", "replace").strip()
        code = f" ({said})" if _CODE.fullmatch(said) else ""
        hint = "Is the webhook still there? Make a new one and put its URL into the variable."
        raise UserError(f"{self.label}: the webhook refused the message with status {status}{code}.", hint=hint)

    def _signature(self, body: bytes) -> dict[str, str]:
        if not self.signing_key:
            return {}
        moment = str(int(time.time()))
        signed = hmac.new(
            self.signing_key.encode("utf-8", "surrogateescape"), moment.encode() + b"." + body, "sha256"
        ).hexdigest()
        return {"Flowyard-Signature": f"t={moment},v1={signed}"}

    def _parsed(self) -> URL:
        try:
            url = URL(self.url.strip())
            acceptable = url.scheme in ("http", "https") and bool(url.raw_host) and url.port is not None
        except ValueError:
            acceptable = False
        if not acceptable:
            raise UserError(f"{self.label}: the variable holds no complete https address.")
        if url.scheme == "http" and not is_listed(url.raw_host or "", url.port or 0, self.hosts):
            hint = f"Use https, or list the host: {HOSTS_VARIABLE}={url.raw_host}"
            raise UserError(f"{self.label}: over http others could read the message.", hint=hint)
        return url

    def _unreached(self, reason: str) -> OutsideError:
        return OutsideError(f"{self.label}: the webhook did not take the message: {reason}.", hint=_LATER)


_LATER = "The request stands; people can answer it all the same."
