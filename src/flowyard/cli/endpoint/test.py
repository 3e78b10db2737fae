"""``flowyard endpoint test``"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from flowyard._util.files import write_atomic
from flowyard._util.listen import is_loopback
from flowyard.app import open_app
from flowyard.cli.deploy.options import deployment_option, open_place
from flowyard.cli.deploy.parts import run_test
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import printable
from flowyard.deploy.endpoint_test.client import HOSTS_VARIABLE
from flowyard.deploy.endpoint_test.junit import render_junit
from flowyard.deploy.endpoint_test.model import EndpointReport, EndpointTest
from flowyard.deploy.model import Address
from flowyard.errors import ExitCode, UserError

__all__ = ["test"]

_KEY = "FLOWYARD_SERVE_KEY"


@click.command()
@click.option("--url", metavar="URL", help="Where the flow is served, without /score.")
@click.option("--usecase", metavar="PATH", help="Test its endpoint instead, as deployment.yaml says.")
@click.option("--env", metavar="NAME", help="The environment of --usecase.")
@click.option("--target", metavar="NAME", help="The target of --usecase, where the environment has several.")
@deployment_option("Of --usecase only this deployment.")
@click.option("--file", "sample", metavar="FILE", help="A request as JSON, such as sample-request.json.")
@click.option("--golden", metavar="FILE", help="Requests with what is expected of their answers.")
@click.option("--suite", type=click.Choice(["smoke", "integration"]), help="What is checked (default: smoke).")
@click.option("--max-latency-p95-ms", type=click.FloatRange(0, min_open=True), help="A slower p95 is a failure.")
@click.option("--requests", type=click.IntRange(1, 10_000), help="Requests of the load.")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Requests of the load at once.")
@click.option("--ready-s", type=click.FloatRange(0, min_open=True), help="How long to wait for it (default: 60).")
@click.option("--key-variable", default=_KEY, show_default=True, metavar="NAME", help="The variable with the key.")
@click.option("--junit", metavar="FILE", help="Write the checks as JUnit XML.")
@store_options
def test(
    url: str | None,
    usecase: str | None,
    env: str | None,
    target: str | None,
    deployment: str | None,
    sample: str | None,
    golden: str | None,
    suite: str | None,
    max_latency_p95_ms: float | None,
    requests: int | None,
    concurrency: int | None,
    ready_s: float | None,
    key_variable: str,
    junit: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Wait until a served flow is ready, then check its schema, its answers and how long they take.

    Exits 0 when all is as it should be, 1 when a check failed, 5 when nobody answers.
    """
    if usecase is not None and url is None and env is None:
        raise UserError("Say which environment of the use case is tested.", hint=f"--usecase {usecase} --env NAME")
    if (url is None) == (usecase is None) or (usecase is None) != (env is None):
        raise UserError("Say what to test.", hint="--url URL, or --usecase PATH --env E [--deployment NAME]")
    given = {
        "file": Path(sample) if sample else None,
        "golden": Path(golden) if golden else None,
        "suite": suite,
        "max_latency_p95_ms": max_latency_p95_ms,
        "requests": requests,
        "concurrency": concurrency,
        "ready_s": ready_s,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if url is not None:
        report = run_test(_typed_address(url, key_variable, home), EndpointTest(**chosen), url)  # type: ignore[arg-type]
    else:
        with _deployed(str(usecase), str(env), target, deployment, home) as (address, usual, shown):
            report = run_test(address, replace(usual, **chosen), shown)  # type: ignore[arg-type]
    if junit:
        write_atomic(Path(junit), render_junit(report))
    if as_json:
        print_json({**asdict(report), "passed": report.passed})
    else:
        _print(report)
    if report.unreached:
        return ExitCode.OUTSIDE_FAILED
    return ExitCode.DONE if report.passed else ExitCode.FAILED_LINES


def _typed_address(url: str, key_variable: str, home: str | None) -> Address:
    """The URL that a person typed, with the key of the environment. Raises UserError for one that holds a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc:
        raise UserError("--url takes http://HOST[:PORT] or https://…, without a name or password.")
    environ, host = open_app(read_settings(home)).environ, str(parts.hostname)
    key = environ.get(key_variable)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    allowed = {*environ.get(HOSTS_VARIABLE, "").replace(",", " ").split(), *([host] if is_loopback(host) else ())}
    return Address(url.rstrip("/").removesuffix("/score"), headers, frozenset(allowed))


@contextmanager
def _deployed(
    use_case: str, env: str, target: str | None, deployment: str | None, home: str | None
) -> Iterator[tuple[Address, EndpointTest, str]]:
    place = open_place(Path(use_case), env, target, home)
    with place.target.reach(place.endpoint, deployment) as address:
        yield address, place.environment.test, deployment or place.endpoint


def _print(report: EndpointReport) -> None:
    for check in report.checks:
        mark, colour = ("✓", "green") if check.state == "passed" else ("✗", "red")
        text = f"{mark} {check.name}{f': {check.message}' if check.message else ''}"
        click.secho(printable(text), fg=colour)
    if report.latency_ms:
        click.echo("Latency: " + ", ".join(f"{name} {value:g} ms" for name, value in report.latency_ms.items()))
