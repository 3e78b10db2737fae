"""The checks of an endpoint, one after the other; what fails early keeps later checks from being tried in vain."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from flowyard.deploy.endpoint_test.client import Answer, EndpointClient, Unreached
from flowyard.deploy.endpoint_test.files import golden_cases, sample_request
from flowyard.deploy.endpoint_test.model import Check, EndpointReport, EndpointTest
from flowyard.deploy.endpoint_test.schema import EndpointSchema
from flowyard.deploy.model import Address

if TYPE_CHECKING:
    from flowyard.deploy.endpoint_test.golden import GoldenCase

__all__ = ["percentiles", "run_endpoint_test"]

_LOOK_S = 0.25
_USUAL = {"smoke": (5, 1), "integration": (50, 4)}
"""Requests in all and at once, by suite."""

Probe = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, or None. Raises Unreached."""


async def run_endpoint_test(address: Address, test: EndpointTest, shown: str) -> EndpointReport:
    """Carry out a suite; ``shown`` is what the report calls the endpoint.

    Raises UserError when the files of the test cannot be used: then nothing was asked.
    """
    sample, golden = sample_request(test), golden_cases(test)
    async with EndpointClient(address, test.timeout_s) as client:
        course = _Course(client, test, sample, golden)
        checks = [check async for check in course.checks()]
    return EndpointReport(shown, test.suite, tuple(checks), percentiles(course.latencies))


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """``p50``, ``p95``, ``p99`` and ``max``, each a latency that occurred; empty without any."""
    if not latencies:
        return {}
    ordered = sorted(latencies)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 1) for name, share in shares.items()}


class _Course:
    """One test as it goes on, with what is known so far."""

    def __init__(self, client: EndpointClient, test: EndpointTest, sample: Any, golden: tuple[GoldenCase, ...]) -> None:
        self._client = client
        self._test = test
        self._sample = sample
        self._golden = golden
        self._schema: EndpointSchema | None = None
        self.latencies: list[float] = []

    async def checks(self) -> AsyncIterator[Check]:
        ready = await _checked("ready", self._ready)
        yield ready
        if ready.state != "passed":
            return
        yield await _checked("schema", self._described)
        if self._sample is not None:
            yield await _checked("sample request", self._sampled)
        for case in self._golden:
            yield await _checked(f"golden: {case.name}", partial(self._as_expected, case))
        if self._test.suite == "integration":
            yield await _checked("version", self._version)
            yield await _checked("a request without inputs is refused", self._refuses)
        if self._sample is not None:
            yield await _checked("load", self._load)
        if self._test.max_latency_p95_ms is not None:
            yield await _checked("latency", self._quick)

    async def _ready(self) -> str | None:
        """Ask for /health until it is 200; a refused key will not get better."""
        until = time.monotonic() + self._test.ready_s
        while True:
            try:
                answer = await self._client.get("/health")
                problem = answer.problem(200)
            except Unreached as error:
                problem, answer = str(error), None
            if problem is None or (answer is not None and answer.status in (401, 403)):
                return problem
            if time.monotonic() > until:
                late = f"Not ready within {self._test.ready_s:g} s. {problem}"
                if answer is None:
                    raise Unreached(late)
                return late
            await asyncio.sleep(_LOOK_S)

    async def _described(self) -> str | None:
        answer = await self._client.get("/swagger.json")
        problem = answer.problem(200)
        if problem:
            return problem
        try:
            self._schema = EndpointSchema(answer.body)
        except ValueError as error:
            return str(error)
        return None if self._sample is None else self._schema.request_problem(self._sample)

    async def _sampled(self) -> str | None:
        return self._problem_of(await self._client.score(self._sample))

    async def _as_expected(self, case: GoldenCase) -> str | None:
        answer = await self._client.score(case.request)
        problem = self._problem_of(answer)
        if problem:
            return problem
        found = filter(None, (expected.problem(answer.body) for expected in case.expect))
        return "; ".join(found) or None

    async def _version(self) -> str | None:
        return (await self._client.get("/version")).problem(200)

    async def _refuses(self) -> str | None:
        """Where the schema says that there is an input that has to be given."""
        if self._schema is None or not self._schema.request.get("required"):
            return None
        return (await self._client.score({})).problem(*range(400, 500))

    async def _load(self) -> str | None:
        """The sample, some at a time; every answer has to be good."""
        usual = _USUAL[self._test.suite]
        left = iter(range(self._test.requests or usual[0]))
        problems: list[str] = []

        async def ask() -> None:
            for _ in left:
                problem = self._problem_of(await self._client.score(self._sample))
                if problem:
                    problems.append(problem)

        await asyncio.gather(*(ask() for _ in range(self._test.concurrency or usual[1])))
        return f"{len(problems)} of {self._test.requests or usual[0]} failed; {problems[0]}" if problems else None

    async def _quick(self) -> str | None:
        found, most = percentiles(self.latencies).get("p95"), self._test.max_latency_p95_ms
        assert most is not None
        if found is None:
            return "No request succeeded, so that nothing is known of latencies."
        return None if found <= most else f"p95 is {found:g} ms, at most {most:g} ms are allowed."

    def _problem_of(self, answer: Answer) -> str | None:
        """What is wrong with an answer to a good request; the time of a good one counts."""
        problem = answer.problem(200)
        if problem is None and not isinstance(answer.body, dict):
            problem = "The answer is no JSON object."
        if problem is None and self._schema is not None:
            problem = self._schema.answer_problem(answer.body)
        if problem is None:
            self.latencies.append(answer.latency_ms)
        return problem


async def _checked(name: str, probe: Probe) -> Check:
    began = time.perf_counter()
    state: Literal["passed", "failed", "unreached"] = "passed"
    try:
        problem = await probe()
        if problem:
            state = "failed"
    except Unreached as error:
        problem, state = str(error), "unreached"
    return Check(name, state, problem or "", round(time.perf_counter() - began, 3))
