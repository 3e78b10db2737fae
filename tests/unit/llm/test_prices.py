from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowyard.abc import Provider
from flowyard.errors import UserError
from flowyard.llm.parameters import read_usage
from flowyard.llm.prices import OUR_PRICES, Price, Prices, find_price_files, load_price_table
from flowyard.llm.providers.priced import PricedProvider
from flowyard.records import ModelReply, ModelRequest, Usage

MILLION = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}
CALL = Usage(1, 1_000_000, 1_000_000)


def table(path: Path, text: str) -> Path:
    path.write_text(f"models:\n  {text}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-35-turbo-0125", "gpt-35-turbo"),
        ("gpt-4-1106-preview", "gpt-4-1106-preview"),
        ("text-embedding-3-small", "text-embedding-3-small"),
        ("gpt-4o-audio-preview", None),
        ("gpt-4o-mini-tts", None),
        ("gpt-4.5-preview", None),
        ("my-gpt-4o", None),
        ("gpt", None),
        ("", None),
    ],
)
def test_models_are_found_by_name_and_by_dated_name(model: str, found: str | None) -> None:
    price = Prices().find(model)
    assert (price.model if price else None) == found


def test_our_table_has_a_date_and_sensible_prices() -> None:
    ours = load_price_table(OUR_PRICES)
    assert ours.as_of
    for price in ours.prices.values():
        assert 0 < price.prompt <= 100
        assert price.cached_prompt is None or price.cached_prompt < price.prompt
        assert price.completion >= price.prompt or price.model.startswith("text-embedding")


def test_cost_counts_prompt_completion_and_what_was_cached() -> None:
    price = Price("m", prompt=2, completion=8, cached_prompt=0.5)
    assert price.cost_usd(MILLION) == 10
    assert price.cost_usd({**MILLION, "prompt_tokens_details": {"cached_tokens": 500_000}}) == 9.25
    assert price.cost_usd({**MILLION, "prompt_tokens_details": {"cached_tokens": 10**9}}) == 8.5
    assert price.cost_usd({"prompt_tokens": "many", "prompt_tokens_details": 7}) == 0
    assert Price("e", prompt=1).cost_usd(MILLION) == 1


def test_a_users_table_goes_over_ours_and_names_deployments(tmp_path: Path) -> None:
    near = table(tmp_path / "near.yaml", "my-deployment: {prompt: 1}\n  gpt-4o: {prompt: 3}")
    far = table(tmp_path / "far.yaml", "gpt-4o: {prompt: 4}\n  o1: {prompt: 5}")
    prices = Prices((near, far))
    assert prices.find("gpt-4o-2024-08-06").prompt == 3  # type: ignore[union-attr]
    assert prices.find("o1").prompt == 5  # type: ignore[union-attr]
    assert prices.find("gpt-4").file == OUR_PRICES  # type: ignore[union-attr]
    listed = {price.model: price.prompt for price in prices.listed()}
    assert (listed["my-deployment"], listed["gpt-4o"], listed["o1"], listed["gpt-4"]) == (1, 3, 5, 30)


def test_the_model_that_answered_counts_unless_the_deployment_is_in_a_table(tmp_path: Path) -> None:
    prices = Prices((table(tmp_path / "p.yaml", "cheap: {prompt: 0.01}"),))
    assert prices.find("gpt-4", "gpt-4o-2024-08-06").model == "gpt-4o"  # type: ignore[union-attr]
    assert prices.find("cheap", "gpt-4o-2024-08-06").model == "cheap"  # type: ignore[union-attr]
    assert prices.find("anything", "gpt-4o").model == "gpt-4o"  # type: ignore[union-attr]
    assert prices.find("gpt-4o", "llama").model == "gpt-4o"  # type: ignore[union-attr]


def test_usage_is_priced_or_said_to_be_unpriced() -> None:
    prices, body = Prices(), {"model": "gpt-4o", "usage": MILLION}
    assert prices.priced(CALL, "x", body) == Usage(1, 1_000_000, 1_000_000, cost_usd=12.5)
    assert prices.priced(CALL, "x", {"model": "llama", "usage": MILLION}).unpriced_calls == 1
    assert prices.priced(CALL, "gpt-4o", {}).unpriced_calls == 1
    simulated = Usage(1, 5, 5, simulated_calls=1)
    assert prices.priced(simulated, "gpt-4o", body) is simulated
    kept = prices.priced(Usage(cached_calls=1), "x", body)
    assert kept == Usage(cached_calls=1, saved_usd=12.5)
    assert prices.priced(Usage(refused_calls=1), "x", body) == Usage(refused_calls=1)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[]", "not a table of prices", 1),
        ("a: 1\n", "not a table of prices", 1),
        ("models: {}\nmodel: {}\n", "Unknown key 'model'", 2),
        ("models:\n  a: {completion: 1}\n", "needs 'prompt'", 2),
        ("models:\n  a: 5\n", "needs 'prompt'", 2),
        ("models:\n  a: {prompt: 1}\n  b:\n    prompt: -1\n", "not a number of dollars", 4),
        ("models:\n  b:\n    prompt: 1\n    complete: 1\n", "Unknown key 'complete'", 4),
        ("models:\n  b: {prompt: yes}\n", "not a number of dollars", 2),
    ],
)
def test_wrong_tables_are_refused_with_their_line(tmp_path: Path, text: str, message: str, line: int) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text.replace("yes", "true"), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        find_price_files([tmp_path])
    assert caught.value.where == f"prices.yaml:{line}"


def test_tables_are_found_once_each_the_named_one_first(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for folder in (project, home):
        folder.mkdir()
    named = table(tmp_path / "named.yaml", "a: {prompt: 1}")
    own = table(home / "prices.yaml", "a: {prompt: 2}")
    assert find_price_files([project, home, home], named) == (named, own)
    assert find_price_files([project]) == ()
    with pytest.raises(UserError, match="not found"):
        find_price_files([], tmp_path / "missing.yaml")


class Fixed(Provider):
    """Streams what it is made with."""

    def __init__(self, *chunks: Mapping[str, Any]) -> None:
        self.chunks = chunks

    async def call(self, request: ModelRequest) -> ModelReply:
        return ModelReply(self.chunks[0], read_usage(self.chunks[0]))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        for chunk in self.chunks:
            yield chunk

    async def close(self) -> None:
        """Nothing is open."""


async def test_streams_are_priced_by_their_last_chunk() -> None:
    chunks = [{"choices": [1]}, {"choices": [2]}, {"choices": [], "model": "gpt-4o", "usage": MILLION}]
    found = [chunk async for chunk in PricedProvider(Fixed(*chunks), Prices()).stream(ModelRequest("chat", "d", {}))]
    assert [read_usage(chunk).cost_usd for chunk in found] == [0, 0, 12.5]
    assert read_usage(found[0]).unpriced_calls == 1  # if it is read no further
    assert read_usage(found[-1]).unpriced_calls == 0
