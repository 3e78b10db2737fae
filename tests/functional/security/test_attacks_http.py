"""Requests that two servers could read in two ways, at a served flow and at the switch before it.

What is smuggled carries the right key, so that the flow's own count tells whether it ever got there.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from loads_helper import ENDPOINT, deployed, raw_answer

KEY = "the-key-of-the-flow"
BODY = b'{"x": "tea"}'
HEAD = b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer the-key-of-the-flow\r\n"
GOOD = HEAD + b"Content-Length: 12\r\n\r\n" + BODY
LAST = HEAD + b"Connection: close\r\nContent-Length: 12\r\n\r\n" + BODY
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n"
BAD = {
    "CL.TE": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "TE.TE": CHUNKS + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a coding in disguise": HEAD + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a coding after a blank": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a coding of HTTP/1.0": CHUNKS.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 12\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 0, 12\r\n\r\n",
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n",
    "a length in hex": HEAD + b"Content-Length: 0x0\r\n\r\n",
    "a folded header": HEAD + b"A: b\r\n Content-Length: 5\r\n\r\n",
    "bare line feeds": GOOD.replace(b"\r\n", b"\n"),
    "one bare line feed": HEAD + b"A: b\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": HEAD + b"A: b\rContent-Length: 0\r\n\r\n",
    "a zero byte": HEAD + b"A: b\0c\r\n\r\n",
    "two hosts": HEAD + b"Host: elsewhere\r\nContent-Length: 0\r\n\r\n",
    "two keys": HEAD + b"Authorization: Bearer other\r\nContent-Length: 0\r\n\r\n",
    "a chunk's extension": CHUNKS + b"\r\nc;a=b\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk's extension at the end": CHUNKS + b"\r\nc\r\n" + BODY + b"\r\n0;a=b\r\n\r\n",
    "a chunk's bare line feed": CHUNKS + b"\r\nc\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk that is longer": CHUNKS + b"\r\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk of huge size": CHUNKS + b"\r\nfffffffff\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a trailer": CHUNKS + b"\r\nc\r\n" + BODY + b"\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a large head": HEAD + b"A: " + b"b" * 20_000 + b"\r\n\r\n",
    "many headers": HEAD + b"A: b\r\n" * 200 + b"\r\n",
    "a large body": HEAD + b"Content-Length: 9999999999\r\n\r\n",
    "another version": GOOD.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a tunnel": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with deployed(tmp_path_factory.mktemp("attacked"), FLOWYARD_SERVE_KEY=KEY) as (target, address):
        server = target.status(ENDPOINT).deployments[0].address
        assert server
        yield {"server": server, "switch": address}


def answered(places: dict[str, str]) -> int:
    """How many requests for lines the flow's server has answered."""
    request = urllib.request.Request(f"{places['server']}/metrics", headers={"api-key": KEY})
    with urllib.request.urlopen(request, timeout=60) as answer:
        counts = re.findall(r'requests_total\{route="/score",status="200"\} (\d+)', answer.read().decode())
    return int(counts[0]) if counts else 0


@pytest.mark.parametrize("place", ["server", "switch"])
def test_what_can_be_read_in_two_ways_is_refused(places: dict[str, str], place: str):
    before, wrong = answered(places), []
    for name, text in BAD.items():
        said = raw_answer(places[place], text + GOOD + GOOD)
        if said and (not re.match(rb"HTTP/1\.1 (4|50)", said) or said.count(b"HTTP/1.1 ") != 1):
            wrong.append((name, said[:200]))
        if said and b"connection: close" not in said.lower():
            wrong.append((name, said[:200]))
    assert wrong == []
    assert answered(places) == before


@pytest.mark.parametrize("place", ["server", "switch"])
def test_a_pipeline_is_answered_one_by_one(places: dict[str, str], place: str):
    """Four good ones; the one after the last, which closes, is not looked at."""
    before = answered(places)
    chunked = CHUNKS + b"\r\n5\r\n" + BODY[:5] + b"\r\n7\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"
    said = raw_answer(places[place], GOOD + chunked + GOOD + LAST + GOOD)
    assert said.count(b"HTTP/1.1 200 ") == said.count(b'{"out": "tea"}') == 4
    assert answered(places) == before + 4


@pytest.mark.parametrize("place", ["server", "switch"])
def test_without_the_key_nothing_of_a_pipeline_gets_through(places: dict[str, str], place: str):
    before = answered(places)
    said = raw_answer(places[place], LAST.replace(b"Bearer the", b"Bearer not-the") + GOOD)
    assert (said.count(b"HTTP/1.1 "), said.count(b"HTTP/1.1 401 ")) == (1, 1)
    large = HEAD.replace(b"Bearer the", b"Bearer not-the") + b"Content-Length: 1000000\r\n\r\n"
    assert raw_answer(places["server"], large).startswith(b"HTTP/1.1 401 "), "before the body has come"
    assert answered(places) == before


def got(path: str, header: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n%bConnection: close\r\n\r\n" % (path.encode(), header)


PATHS = (
    *("/../health", "/./score", "//score", "/score/../metrics", "/%2e%2e/health", "/%2e%2e%2f%2e%2e%2fetc/passwd"),
    *("/..%5c..%5cetc%5cpasswd", "/..\\..\\etc\\passwd", "/%252e%252e/etc/passwd", "/%c0%ae%c0%ae/etc/passwd"),
    *("/page.js/../../../../etc/passwd", "/page.js%00.css", "/page.html", "/etc/passwd", "/score%2f", "/score/"),
    *("/Score", "/health/../score", "/health;/../score", "/health%2f..%2fscore", "/health#/score"),
)


@pytest.mark.parametrize("place", ["server", "switch"])
def test_no_path_leads_past_the_table_of_routes(places: dict[str, str], place: str):
    """Paths are compared as they came, so no spelling is another's; without the key all are 401 or a plain health."""
    wrong = []
    for path in PATHS:
        for key, allowed in ((b"Authorization: Bearer the-key-of-the-flow\r\n", (404, 200)), (b"", (401, 200))):
            said = raw_answer(
                places[place],
                b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n%bConnection: close\r\n\r\n" % (path.encode(), key),
            )
            status = int(said[9:12])
            if status not in allowed or (status == 200 and path != "/health#/score") or b"root:" in said:
                wrong.append((path, said[:100]))
    assert wrong == []


def test_a_file_of_the_page_swapped_for_a_link_is_none_of_a_flow(places: dict[str, str], tmp_path: Path):
    """The page's files are the program's own: nothing in a flow's folder is served, links or not."""
    folder = next(Path(tmp_path.parent).glob("attacked*/home/deployments/local/*/deployments/v0/flow"))
    secret = tmp_path / "secret"
    secret.write_text("the-content-of-a-file-outside")
    for name in ("page.js", "page.html", "static"):
        (folder / name).symlink_to(secret)
    for path in ("/page.js", "/", "/static", "/flow/page.js", "/work.py", "/flow.dag.yaml"):
        said = raw_answer(places["switch"], got(path, b"api-key: the-key-of-the-flow\r\n"))
        assert b"the-content-of-a-file-outside" not in said
        assert b"def work" not in said
