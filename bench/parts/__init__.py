"""The parts of the bench by name, in the order in which they run. Each gives rows of the common table."""

from __future__ import annotations

from collections.abc import Callable

from bench.parts import (
    auto,
    cache,
    client,
    engine,
    experiment,
    experiment_again,
    flow_test,
    image,
    limit,
    llm,
    promptfoo,
    registry,
    report,
    scale,
    serve,
    small,
    start,
    throughput,
)
from bench.table import Row

__all__ = ["PARTS"]

PARTS: dict[str, Callable[[int], list[Row]]] = {
    "start": start.run,
    "test": flow_test.run,
    "client": client.run,
    "experiment": experiment.run,
    "experiment_again": experiment_again.run,
    "throughput": throughput.run,
    "small": small.run,
    "llm": llm.run,
    "limit": limit.run,
    "auto": auto.run,
    "promptfoo": promptfoo.run,
    "scale": scale.run,
    "engine": engine.run,
    "cache": cache.run,
    "report": report.run,
    "registry": registry.run,
    "serve": serve.run,
    "image": image.run,
}
