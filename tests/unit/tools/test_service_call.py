"""Services that answer wrongly, slowly or not at all."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureContentSafetyConnection, QdrantConnection, SerpConnection
from flowyard.llm.services import Services
from flowyard.tools import serpapi
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

Make = Callable[..., Services]
KEY = "s3cret/key+of=serp"


def serp(fake: Any) -> SerpConnection:
    return SerpConnection(KEY, fake.url, name="web")


async def refused(fake: Any, services: Services) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await serpapi.search(services, serp(fake), "weather")
    assert KEY not in str(caught.value)
    assert "s3cret" not in caught.value.message
    assert "connection 'web'" in caught.value.message
    return caught.value


async def test_a_wrong_key_is_said_with_its_connection_and_not_tried_again(fake: Any, services_with: Make) -> None:
    fake.says({"error": f"Invalid API key: {KEY}"}, 401)
    error = await refused(fake, services_with())
    assert (error.status, error.retryable, len(fake.asked)) == (401, False, 1)
    assert error.hint is not None
    assert "api_key" in error.hint


@pytest.mark.parametrize("status", [404, 400, 403, 422])
async def test_what_the_service_does_not_do_is_not_tried_again(fake: Any, services_with: Make, status: int) -> None:
    fake.says({"error": {"code": "x", "message": "There is no such index."}}, status)
    error = await refused(fake, services_with())
    assert (error.status, len(fake.asked)) == (status, 1)
    assert "There is no such index." in error.message


async def test_too_many_requests_wait_as_long_as_the_service_asks(fake: Any, services_with: Make) -> None:
    fake.says({}, 429, Retry_After="7").says({}, 503).says({"organic_results": []})
    assert await serpapi.search(services_with(), serp(fake), "weather") == {"organic_results": []}
    assert fake.waits == [7.0, 0.0]


async def test_a_service_that_keeps_failing_is_given_up(fake: Any, services_with: Make) -> None:
    fake.says("<html>internal error</html>", 500)
    error = await refused(fake, services_with())
    assert (error.status, len(fake.asked)) == (500, 3)
    assert "internal error" in error.message


async def test_an_answer_that_is_no_json(fake: Any, services_with: Make) -> None:
    fake.says('{"organic_results": [')
    assert "did not answer with JSON" in (await refused(fake, services_with())).message


async def test_an_answer_of_another_shape(fake: Any, services_with: Make) -> None:
    fake.says([1, 2])
    assert "JSON object" in (await refused(fake, services_with())).message


async def test_a_redirect_is_not_followed_because_the_request_holds_a_key(fake: Any, services_with: Make) -> None:
    fake.says({}, 302, Location=f"{fake.url}/elsewhere").says({"organic_results": []})
    assert (await refused(fake, services_with())).status == 302
    assert len(fake.asked) == 1


async def test_a_service_that_does_not_answer_in_time(fake: Any, services_with: Make) -> None:
    fake.never_answers()
    request = ServiceRequest("SerpAPI", serp(fake), f"{fake.url}/search", timeout_s=0.05)
    with pytest.raises(ProviderError, match="did not answer in time"):
        await ask_service(services_with(), request)
    assert len(fake.asked) == 3


async def test_a_service_that_is_not_there(services_with: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connection = SerpConnection(KEY, f"http://127.0.0.1:{taken.getsockname()[1]}", name="web")
        with pytest.raises(ProviderError, match=r"SerpAPI \(connection 'web'\) cannot be reached"):
            await serpapi.search(services_with(), connection, "weather")


@pytest.mark.parametrize("key", ["a\nb", "ключ", "a\x7f"])
def test_a_key_that_cannot_be_one_is_not_sent_and_not_shown(key: str) -> None:
    with pytest.raises(UserError) as caught:
        secret_of(QdrantConnection(key, "http://x", name="q"))
    assert key not in str(caught.value)


@pytest.mark.parametrize("address", ["", "ftp://x", None, "search.example"])
def test_an_address_that_is_none(address: str | None) -> None:
    with pytest.raises(UserError, match=r"'q'.*api_base"):
        address_of(QdrantConnection("k", address, name="q"), "api_base")


def test_a_missing_key_is_said() -> None:
    with pytest.raises(UserError, match=r"'safe'.*has no api_key"):
        secret_of(AzureContentSafetyConnection(None, "https://x", name="safe"))


async def test_num_must_be_a_number(fake: Any, services_with: Make) -> None:
    with pytest.raises(UserError, match="'num'"):
        await serpapi.search(services_with(), serp(fake), "weather", num="many")  # type: ignore[arg-type]
