"""The file of kept values: whole or absent, for many processes at once, bounded."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.abc import Provider
from flowyard.errors import ProviderError, UserError
from flowyard.llm.cache import CacheRules
from flowyard.llm.cache.answer_form import KeptAnswer
from flowyard.llm.cache.answer_key import connection_identity, request_text
from flowyard.llm.cache.block import CacheBlock, parse_bytes, parse_cache_block
from flowyard.llm.cache.kept_file import KeptFile, open_kept
from flowyard.llm.cache.tables import connect, store
from flowyard.llm.call_place import LineCalls, at_node, one_line
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection
from flowyard.llm.parameters import read_usage
from flowyard.llm.providers.cached import CachedProvider
from flowyard.records import ModelReply, ModelRequest, Usage

WRITER = """\
import hashlib, sys
from pathlib import Path
from flowyard.llm.cache.kept_file import KeptFile

file = KeptFile(Path(sys.argv[1]))
own, count = sys.argv[2], int(sys.argv[3])
for number in range(count):
    key = hashlib.sha256(f"{own} {number}".encode()).digest()
    file.put(key, key * 50, "test")
    if number % 50 == 0:
        print(number, flush=True)
file.close()
print("done", flush=True)
"""


def key_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@contextmanager
def closed(file: KeptFile) -> Iterator[KeptFile]:
    try:
        yield file
    finally:
        file.close()


def start_writer(path: Path, own: str, count: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WRITER, str(path), own, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM kept_1").fetchone()[0])


def test_a_value_is_there_at_once_and_after_closing(tmp_path: Path):
    path = tmp_path / "cache" / "kept.sqlite"
    with closed(KeptFile(path)) as file:
        assert file.get(b"k") is None
        assert not path.exists(), "looking makes no file"
        file.put(b"k", b"one", "m")
        assert file.get(b"k") == b"one"
        file.put(b"k", b"two", "m")
    with closed(KeptFile(path)) as file:
        assert file.get(b"k") == b"two"


READER = """\
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM kept_1").fetchone()
connection.close()
"""


def test_opening_the_file_once_more_takes_no_locks_away(tmp_path: Path):
    """The last connection to close deletes the log; another process must not take itself for the last."""
    path = tmp_path / "kept.sqlite"
    with closing(connect(path)) as first:
        store(first, [(b"k", b"v", 0, "m", 0)])
        connect(path).close()
        subprocess.run([sys.executable, "-c", READER, str(path)], check=True, timeout=60)
        assert path.with_name("kept.sqlite-wal").exists()


def test_an_answer_to_another_question_counts_as_absent(tmp_path: Path):
    path = tmp_path / "kept.sqlite"
    with closed(KeptFile(path)) as file:
        file.put(b"one", b"answer to one", "m")
        file.put(b"two", b"answer to two", "m")
    with closing(sqlite3.connect(path)) as connection, connection:  # as an index does whose pages are mixed up
        (checksum,) = connection.execute("SELECT checksum FROM kept_1 WHERE key = ?", (b"two",)).fetchone()
        swapped = (b"answer to two", checksum, b"one")
        connection.execute("UPDATE kept_1 SET value = ?, checksum = ? WHERE key = ?", swapped)
    with closed(KeptFile(path)) as file:
        assert file.get(b"one") is None
        assert file.get(b"two") == b"answer to two"


def test_eight_processes_write_at_once(tmp_path: Path):
    path = tmp_path / "kept.sqlite"
    writers = [start_writer(path, str(own), 200) for own in range(8)]
    for writer in writers:
        assert writer.communicate(timeout=120)[0].endswith("done\n")
        assert writer.returncode == 0
    with closed(KeptFile(path)) as file:
        for own in range(8):
            for number in range(200):
                key = key_of(f"{own} {number}")
                assert file.get(key) == key * 50
    assert rows(path) == 1600


def test_what_a_killed_process_wrote_is_whole(tmp_path: Path):
    path = tmp_path / "kept.sqlite"
    with start_writer(path, "killed", 1_000_000) as writer:
        assert writer.stdout is not None
        while writer.stdout.readline().strip() != "2000":
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=60)
    with closed(KeptFile(path)) as file:
        found = [(key_of(f"killed {number}"), file.get(key_of(f"killed {number}"))) for number in range(2500)]
        assert all(value in (None, key * 50) for key, value in found)
        file.put(b"next", b"fits", "test")
    with closed(KeptFile(path)) as file:
        assert file.get(b"next") == b"fits"


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path):
    path, bound = tmp_path / "kept.sqlite", 1_000_000
    with closed(KeptFile(path, bound)) as file:
        for number in range(400):
            file.put(key_of(str(number)), os.urandom(10_000), "test")
    assert path.stat().st_size <= 1.3 * bound
    with closed(KeptFile(path, bound)) as file:
        assert file.get(key_of("399")) is not None
        assert file.get(key_of("0")) is None


def test_a_value_that_was_changed_is_absent(tmp_path: Path):
    path = tmp_path / "kept.sqlite"
    with closed(KeptFile(path)) as file:
        file.put(b"k", b"a long value", "m")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE kept_1 SET value = substr(value, 1, 6)")
    with closed(KeptFile(path)) as file:
        assert file.get(b"k") is None


def test_damage_is_said_once_and_nothing_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "kept.sqlite"
    with closed(KeptFile(path)) as file:
        for number in range(500):
            file.put(key_of(str(number)), os.urandom(2000), "m")
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)  # the first page still says that it is a database
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING, "flowyard"), closed(KeptFile(path)) as file:
        for number in range(500):
            file.get(key_of(str(number)))
            file.put(key_of(str(number)), b"new", "m")
    assert caplog.messages
    assert list(tmp_path.glob("kept.damaged-*.sqlite"))
    with closed(KeptFile(path)) as file:
        file.put(b"k", b"v", "m")
        assert file.get(b"k") == b"v"


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("no folder")
    with closed(KeptFile(tmp_path / "file" / "kept.sqlite")) as file:
        file.put(b"k", b"v", "m")
    assert file.get(b"k") is None
    assert len(caplog.messages) == 1


def test_who_opens_the_file_shares_it(tmp_path: Path):
    path = tmp_path / "kept.sqlite"
    first, second = open_kept(path), open_kept(path)
    assert first is second
    first.put(b"k", b"v", "m")
    first.close()
    assert second.get(b"k") == b"v"
    second.close()
    assert open_kept(path) is not first
    open_kept(path).close()
    open_kept(path).close()


def test_numbers_of_failed_calls_are_given_again():
    calls = LineCalls()
    with calls.numbered("a") as first, calls.numbered("a") as second, calls.numbered("b") as other:
        assert (first, second, other) == (0, 1, 0)
    with suppress(ValueError), calls.numbered("a") as third:
        assert third == 2
        raise ValueError("no")
    with calls.numbered("a") as third:
        assert third == 2


def test_what_makes_two_calls_the_same():
    body = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.0}
    request = ModelRequest("chat", "small", body, headers={"X-Team": "a", "Authorization": "secret"})
    turned = ModelRequest("chat", "small", dict(reversed(body.items())), timeout_s=3.0, headers={"x-team": "a"})
    assert request_text(request, stream=False) == request_text(turned, stream=False)
    assert "secret" not in str(request_text(request, stream=False))
    others = [
        ModelRequest("chat", "large", body, headers={"X-Team": "a"}),
        ModelRequest("chat", "small", {**body, "temperature": 0.1}, headers={"X-Team": "a"}),
        ModelRequest("chat", "small", body, headers={"X-Team": "b"}),
    ]
    assert (
        len({request_text(each, stream=False) for each in [request, *others]} | {request_text(request, stream=True)})
        == 5
    )
    assert request_text(ModelRequest("chat", "small", {"messages": object()}), stream=False) is None
    azure = AzureOpenAIConnection("https://a.example", "key one", name="one")
    assert connection_identity(azure) == connection_identity(AzureOpenAIConnection("https://a.example", "two"))
    assert connection_identity(azure) != connection_identity(AzureOpenAIConnection("https://b.example", "key one"))
    newer = AzureOpenAIConnection("https://a.example", "key one", api_version="2025-01-01")
    assert connection_identity(azure) != connection_identity(newer)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_an_answer_is_kept_as_it_is(value: Any):
    answer = KeptAnswer({"choices": value}, simulated=True)
    assert KeptAnswer.from_bytes(answer.to_bytes()) == answer
    assert KeptAnswer.from_bytes(answer.to_bytes()[:-3]) is None


class Slow(Provider):
    """Answers when it is let go, each time something else; what it is told to, it refuses."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = asyncio.Event()
        self.refuses = 0

    async def call(self, request: ModelRequest) -> ModelReply:
        self.calls += 1
        number = self.calls
        await self.go.wait()
        if number <= self.refuses:
            raise ProviderError("no")
        return ModelReply({"id": number, "usage": {"prompt_tokens": 7}}, Usage(calls=1, prompt_tokens=7))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        self.calls += 1
        yield {"id": 1}
        yield {"id": 2, "usage": {"prompt_tokens": 3}}

    async def close(self) -> None:
        pass


async def asked(provider: Provider, line: int, text: str = "hi") -> ModelReply:
    with one_line(line), at_node("ask"):
        return await provider.call(ModelRequest("chat", "m", {"messages": text}))


@contextmanager
def cached(tmp_path: Path, inner: Provider, **rules: Any) -> Iterator[CachedProvider]:
    provider = CachedProvider(inner, OpenAIConnection("k"), CacheRules(tmp_path / "kept.sqlite", **rules))
    try:
        yield provider
    finally:
        provider._file.close()


async def started(inner: Slow, *work: Any) -> list[asyncio.Task[Any]]:
    """The tasks, all of them as far as they get while nothing is answered."""
    tasks = [asyncio.ensure_future(each) for each in work]
    for _ in range(20):
        await asyncio.sleep(0)
    inner.go.set()
    return tasks


async def test_lines_that_ask_the_same_wait_for_one_answer(tmp_path: Path):
    inner = Slow()
    with cached(tmp_path, inner) as provider:
        replies = await asyncio.gather(*await started(inner, *(asked(provider, line) for line in range(5))))
        assert inner.calls == 1
        assert [reply.body["id"] for reply in replies] == [1] * 5
        assert sum((reply.usage for reply in replies), Usage()) == Usage(calls=1, prompt_tokens=7, cached_calls=4)
        assert replies[1].kept_usage == Usage(calls=1, prompt_tokens=7)


async def test_who_waits_for_a_call_that_fails_asks(tmp_path: Path):
    inner = Slow()
    inner.refuses = 1
    with cached(tmp_path, inner) as provider:
        tasks = await started(inner, *(asked(provider, line) for line in range(3)))
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(reply) for reply in replies] == [ProviderError, ModelReply, ModelReply]
        assert inner.calls == 2


async def test_who_stops_waiting_does_not_stop_the_others(tmp_path: Path):
    inner = Slow()
    with cached(tmp_path, inner) as provider:
        first = asyncio.ensure_future(asked(provider, 0))
        await asyncio.sleep(0)
        second, third = (asyncio.ensure_future(asked(provider, line)) for line in (1, 2))
        await asyncio.sleep(0)
        second.cancel()
        inner.go.set()
        assert (await first).body == (await third).body
        assert second.cancelled() or await asyncio.gather(second, return_exceptions=True)
        assert inner.calls == 1


async def test_nodes_that_are_off_and_calls_outside_of_lines_are_made(tmp_path: Path):
    inner = Slow()
    inner.go.set()
    with cached(tmp_path, inner, off=frozenset({"ask"})) as provider:
        assert (await asked(provider, 0)).body != (await asked(provider, 1)).body
    with cached(tmp_path, inner) as provider:
        request = ModelRequest("chat", "m", {"messages": "hi"})
        assert (await provider.call(request)).body != (await provider.call(request)).body
    with cached(tmp_path, inner, mode="refresh") as provider:
        assert (await asked(provider, 0)).body != (await asked(provider, 1)).body


async def test_a_stream_that_was_read_in_part_is_not_kept(tmp_path: Path):
    inner = Slow()
    request = ModelRequest("chat", "m", {"messages": "hi"})

    async def read(provider: Provider, most: int) -> list[Mapping[str, Any]]:
        found = []
        with one_line(0):
            stream = provider.stream(request)
            async for chunk in stream:
                found.append(chunk)
                if len(found) == most:
                    await stream.aclose()  # type: ignore[attr-defined]
                    break
        return found

    with cached(tmp_path, inner) as provider:
        assert len(await read(provider, 1)) == 1
        whole = await read(provider, 9)
        assert inner.calls == 2
        again = await read(provider, 9)
        assert inner.calls == 2
        assert [chunk["id"] for chunk in again] == [chunk["id"] for chunk in whole] == [1, 2]
        assert all(read_usage(chunk) == Usage(cached_calls=1) for chunk in again)


def test_what_files_say_about_the_cache():
    assert parse_cache_block(None) == CacheBlock()
    assert parse_cache_block("refresh").mode == "refresh"
    assert parse_cache_block(False).mode == "off"
    block = parse_cache_block({"mode": "on", "off": ["a"], "nodes": "b, c", "size": "2 GB"})
    assert block == CacheBlock("on", frozenset({"a"}), frozenset({"b", "c"}), 2_000_000_000)
    assert parse_bytes("500MB") == 500_000_000
    for wrong in ("maybe", 3, {"of": []}, {"off": [1]}, {"size": "small"}, {"size": True}, {"mode": ["on"]}):
        with pytest.raises(UserError):
            parse_cache_block(wrong)
