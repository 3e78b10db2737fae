from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import SimulatedConnection
from flowyard.llm.providers import open_provider
from flowyard.llm.providers.simulated import SimulatedProvider, shared_simulator
from flowyard.llm.retry import RetryPolicy
from flowyard.records import ModelRequest, Usage

_RULES = """
faults: {rate_429: 0.3, rate_500: 0.2, retry_after_s: 0.001}
rules:
  - {name: broken, when: {user: broken}, reply: a b c d, faults: {rate_cut_off: 1}}
  - {name: slow, when: {user: slow}, reply: x, latency: {median_ms: 5000}, faults: {}}
  - {name: full, when: {user: full}, reply: x, faults: {rate_429: 1, retry_after_s: 0}}
  - {name: any, when: {user: hi}, reply: "{{ number }}"}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(_RULES, encoding="utf-8")
    return path


def _provider(rules: Path) -> SimulatedProvider:
    retry = RetryPolicy(attempts=30, first_wait_s=0.0)
    return SimulatedProvider(SimulatedConnection(rules=str(rules), seed=4), retry=retry)


def _ask(text: str, timeout_s: float | None = None) -> ModelRequest:
    return ModelRequest("chat", "m", {"messages": [{"role": "user", "content": text}]}, timeout_s)


async def test_concurrent_calls_retry_and_count_as_simulated(rules: Path) -> None:
    provider = _provider(rules)
    replies = await asyncio.gather(*(provider.call(_ask(f"hi {n}")) for n in range(200)))
    assert all(reply.usage.simulated_calls == reply.usage.calls == 1 for reply in replies)
    assert max(reply.attempts for reply in replies) > 1
    again = await asyncio.gather(*(_provider(rules).call(_ask(f"hi {n}")) for n in range(200)))
    assert [reply.body for reply in again] == [reply.body for reply in replies]
    assert all(reply.attempts == 1 for reply in again)


async def test_a_stream_has_its_usage_in_the_last_chunk(rules: Path) -> None:
    provider = _provider(rules)
    whole = await provider.call(_ask("hi"))
    parts: list[Any] = [part async for part in provider.stream(_ask("hi"))]
    text = "".join(choice["delta"].get("content", "") for part in parts for choice in part["choices"])
    assert text == whole.body["choices"][0]["message"]["content"]
    assert parts[-1]["usage"] == whole.body["usage"]
    assert all(part["flowyard_simulated"] for part in parts)
    assert whole.usage == Usage(1, 1, whole.usage.completion_tokens, 1)


async def test_faults_that_stay_are_provider_errors(rules: Path) -> None:
    provider = SimulatedProvider(SimulatedConnection(rules=str(rules)), retry=RetryPolicy(2, 0.0))
    with pytest.raises(ProviderError) as limited:
        await provider.call(_ask("full"))
    assert (limited.value.status, limited.value.retryable) == (429, True)
    with pytest.raises(ProviderError, match="cut off"):
        await provider.call(_ask("broken"))
    stream = aiter(provider.stream(_ask("broken")))
    assert (await anext(stream))["choices"]
    await anext(stream)
    await anext(stream)
    with pytest.raises(ProviderError, match="cut off"):
        await anext(stream)
    with pytest.raises(ProviderError, match="in time"):
        await provider.call(_ask("slow", timeout_s=0.01))
    with pytest.raises(ProviderError, match="No simulation rule") as refused:
        await provider.call(_ask("what?"))
    assert (refused.value.status, refused.value.retryable) == (400, False)
    assert rules.name in str(refused.value.hint)
    await provider.close()


def test_one_simulator_per_file_version_and_seed(rules: Path) -> None:
    first = shared_simulator(rules, 1)
    assert shared_simulator(str(rules), 1) is first
    assert shared_simulator(rules, 2) is not first
    os.utime(rules, ns=(1, 1))
    assert shared_simulator(rules, 1) is not first


def test_the_connection_is_checked(rules: Path) -> None:
    assert isinstance(open_provider(SimulatedConnection(rules=str(rules))), SimulatedProvider)
    with pytest.raises(UserError, match="Cannot read"):
        open_provider(SimulatedConnection(rules=str(rules) + ".no"))
    broken = SimulatedConnection(rules=str(rules)).with_fields({"seed": "x"})
    with pytest.raises(UserError, match="whole number"):
        open_provider(broken)
