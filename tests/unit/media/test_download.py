"""Downloads from real servers on this machine, which are reached only when a rule lists them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pictures import GIF, PNG

from flowyard.errors import OutsideError, UserError
from flowyard.media import Image, UrlRules, load_media

PRIVATE = "is not on the public internet"


class Site:
    """A server that shows pictures and sends people around, and keeps the paths that were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[Any] = []
        self.end = asyncio.Event()
        app = web.Application()
        app.router.add_get("/{kind}", self.answer)
        self.server = TestServer(app, host="127.0.0.1")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    def rules(self, **more: Any) -> UrlRules:
        return UrlRules(frozenset({self.host}), **more)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.headers.append(request.headers)
        kind = request.match_info["kind"]
        if kind == "to":
            return web.Response(status=302, headers={"Location": request.query["url"]})
        if kind == "chain":
            left = int(request.query["left"])
            return web.Response(status=307, headers={"Location": f"/chain?left={left - 1}" if left > 1 else "/png"})
        if kind == "slow":
            response = web.StreamResponse(headers={"Content-Type": "image/png"})
            await response.prepare(request)
            await response.write(PNG[:10])
            await self.end.wait()
            return response
        if kind == "endless":
            response = web.StreamResponse(headers={"Content-Type": "image/png"})
            await response.prepare(request)
            for _ in range(100):
                await response.write(bytes(1000))
            return response
        return _page(kind)


def _page(kind: str) -> web.Response:
    pages = {
        "png": web.Response(body=PNG, content_type="image/png"),
        "gif-as-png": web.Response(body=GIF, content_type="image/png"),
        "odd": web.Response(body=b"abc", content_type="image/x-odd"),
        "untold": web.Response(body=PNG, content_type="application/octet-stream"),
        "untold-text": web.Response(body=b"abc", content_type="application/octet-stream"),
        "html": web.Response(text="<html>", content_type="text/html"),
        "zipped": web.Response(body=PNG, content_type="image/png", headers={"Content-Encoding": "gzip"}),
        "broken": web.Response(status=503, text="secret inner page"),
        "empty": web.Response(body=b"", content_type="image/png"),
        "nowhere": web.Response(status=302),
    }
    return pages.get(kind) or web.Response(status=404)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    await made.server.start_server()
    yield made
    made.end.set()
    await made.server.close()


@pytest.fixture
async def other() -> AsyncIterator[Site]:
    made = Site()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """Host names of this test only -> the addresses they have; each name can be looked up once."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror("there is no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known.pop(host)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known  # type: ignore[return-value]


async def download(url: str, rules: UrlRules, key: str | None = None) -> Image:
    value: Any = {key: url} if key else {"type": "image_url", "image_url": {"url": url}}
    image = await load_media(value, folder=None, urls=rules, name="photo")
    assert isinstance(image, Image)
    return image


@pytest.mark.parametrize(
    ("path", "data", "mime"),
    [
        ("png", PNG, "image/png"),
        ("gif-as-png", GIF, "image/gif"),
        ("odd", b"abc", "image/x-odd"),
        ("untold", PNG, "image/png"),
        ("to?url=/png", PNG, "image/png"),
        ("chain?left=3", PNG, "image/png"),
    ],
)
async def test_a_listed_host_is_downloaded_from(site: Site, path: str, data: bytes, mime: str):
    image = await download(site.url(path), site.rules())
    assert (image, image._mime_type, image.source_url) == (data, mime, site.url(path))


async def test_a_map_that_names_a_type_decides_it(site: Site):
    image = await download(site.url("png"), site.rules(), "data:image/webp;url")
    assert image._mime_type == "image/webp"
    assert await load_media(site.url("png"), folder=None, urls=site.rules(), as_image=True) == PNG


async def test_nothing_personal_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await download(site.url("png"), site.rules())
    assert {"Cookie", "Authorization", "Referer"}.isdisjoint(site.headers[0])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ],
)
async def test_this_machine_is_not_downloaded_from(site: Site, host: str):
    with pytest.raises(UserError, match=PRIVATE) as caught:
        await download(f"http://{host}:{site.server.port}/png", UrlRules())
    assert "FLOWYARD_IMAGE_HOSTS=" in (caught.value.hint or "")
    assert site.asked == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0"]
)
async def test_odd_spellings_of_its_address_are_refused(site: Site, host: str):
    with pytest.raises(UserError, match="an unusual spelling of an IP address"):
        await download(f"http://{host}:{site.server.port}/png", site.rules())
    assert site.asked == []


async def test_other_digits_of_unicode_are_the_same_address(site: Site):
    with pytest.raises(UserError):
        await download(f"http://１２７.0.0.1:{site.server.port}/png", UrlRules())
    assert site.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "168.63.129.16", "10.0.0.1", "[fd00:ec2::254]", "metadata.test"])
async def test_a_redirect_does_not_lead_inside(site: Site, names: dict[str, list[str]], host: str):
    names["metadata.test"] = ["169.254.169.254"]
    with pytest.raises(UserError, match=PRIVATE):
        await download(site.url(f"to?url=http://{host}/latest"), site.rules())
    assert len(site.asked) == 1


async def test_a_redirect_leads_to_another_listed_host_only(site: Site, other: Site):
    url = site.url(f"to?url={other.url('png')}")
    with pytest.raises(UserError, match=PRIVATE):
        await download(url, site.rules())
    assert other.asked == []
    assert await download(url, UrlRules(frozenset({site.host, other.host}))) == PNG


async def test_the_checked_address_is_the_one_that_is_used(site: Site, names: dict[str, list[str]]):
    names["pictures.test"] = ["127.0.0.1"]  # a second look-up would fail
    rules = UrlRules(frozenset({"pictures.test"}))
    assert await download(f"http://pictures.test:{site.server.port}/png", rules) == PNG


async def test_one_private_address_among_public_ones_is_enough(site: Site, names: dict[str, list[str]]):
    names["mixed.test"] = ["93.184.216.34", "127.0.0.1"]
    with pytest.raises(UserError, match=PRIVATE):
        await download(f"http://mixed.test:{site.server.port}/png", UrlRules())
    assert site.asked == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("chain?left=4", "redirected more than 3 times"),
        ("to?url=file:///etc/passwd", "redirects to something that is no http or https address"),
        ("to?url=gopher://x", "redirects to something that is no http or https address"),
        ("to?url=http://[x", "redirects to something that is no http or https address"),
        ("nowhere", "status 302"),
        ("missing", "status 404"),
        ("html", "of type text/html, not a picture"),
        ("untold-text", "not a picture of a known kind"),
        ("zipped", "compressed although it was asked not to"),
        ("empty", "the picture is empty"),
    ],
)
async def test_answers_that_are_no_picture(site: Site, path: str, message: str):
    with pytest.raises(UserError, match=f"^Input 'photo': .*{message}"):
        await download(site.url(path), site.rules())


async def test_what_is_too_large_is_not_read_to_its_end(site: Site):
    assert await download(site.url("png"), site.rules(max_bytes=len(PNG))) == PNG
    for path, limit in (("png", len(PNG) - 1), ("endless", 5000)):
        with pytest.raises(UserError, match=f"larger than the limit of {limit} bytes"):
            await download(site.url(path), site.rules(max_bytes=limit))


async def test_a_server_that_does_not_end_is_left(site: Site):
    with pytest.raises(OutsideError, match=r"did not answer completely within 0\.1 seconds"):
        await download(site.url("slow"), site.rules(timeout_s=0.1))


async def test_a_server_that_fails_or_is_not_there(site: Site, names: dict[str, list[str]]):
    with pytest.raises(OutsideError, match="status 503") as caught:
        await download(site.url("broken"), site.rules())
    assert "secret" not in str(caught.value)
    with pytest.raises(OutsideError, match="could not be downloaded"):
        await download("http://nowhere.test/a.png", UrlRules())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(OutsideError, match="could not be downloaded"):
            await download(f"http://{host}/a.png", UrlRules(frozenset({host})))


async def test_errors_hide_what_a_url_may_hold(site: Site):
    url = f"http://user:hunter2@{site.host}/missing?sig=hunter2#hunter2"
    with pytest.raises(UserError, match="status 404") as caught:
        await download(url, site.rules())
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in (caught.value.hint or "")


async def test_several_are_loaded_and_the_first_error_in_order_is_told(site: Site):
    urls = [{"data:image/png;url": site.url(path)} for path in ("png", "missing", "html", "png")]
    with pytest.raises(UserError, match=r"'photos\[1\]'.*404"):
        await load_media(urls, folder=None, urls=site.rules(), name="photos")
    assert await load_media(urls[:1] * 9, folder=None, urls=site.rules()) == [PNG] * 9
