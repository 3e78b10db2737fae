"""``flowyard flow serve``"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flowyard import __version__
from flowyard._util.event_loop import loop_factory
from flowyard._util.listen import is_loopback, serve_until_stopped
from flowyard.app import App, open_app
from flowyard.cli.shared.options import (
    SpreadCommand,
    environment_option,
    environment_variables,
    read_settings,
    settings_options,
    values_or_file,
)
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.pacing_options import price_folders
from flowyard.engine import prepare
from flowyard.errors import UserError
from flowyard.flows import Flow
from flowyard.flows.load import load_flow
from flowyard.llm import CallRules, ProviderOpener
from flowyard.llm.prices import find_price_files
from flowyard.serving import FlowServer, ServingSettings
from flowyard.serving.settings import ENGINES
from flowyard.serving.workers import Worker, Workers, own_command
from flowyard.spans import SpanSettings

__all__ = ["serve"]

_EAGER_THREADS = 2


@click.command(cls=SpreadCommand)
@click.option("--source", "--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@environment_option
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
@click.option("--engine", type=click.Choice(ENGINES), hidden=True, help="Accepted and without effect.")
@click.option("--skip-open-browser", is_flag=True, hidden=True, help="Accepted: no browser is ever opened.")
@settings_options
def serve(
    source: str,
    port: int,
    host: str,
    init: tuple[str, ...],
    environment_variables: tuple[str, ...],
    ready_file: str | None,
    engine: str | None,  # noqa: ARG001
    skip_open_browser: bool,  # noqa: ARG001
    home: str | None,
    env_file: str | None,
    simulate: str | None,
) -> None:
    """Serve a flow over HTTP: POST /score and /feedback, a page to try it, chats as OpenAI's API has them."""
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    settings = ServingSettings.read(app.environ, __version__)
    if settings.key is None and not is_loopback(host) and not settings.behind_gateway:
        hint = "export FLOWYARD_SERVE_KEY=…; callers then send 'Authorization: Bearer …'. Or serve on 127.0.0.1."
        raise UserError(f"On {host} anyone who reaches this machine could run the flow.", hint=hint)
    flow = _with_variables(load_flow(source), app, environment_variables)
    settings = replace(settings, spans=_spans(flow, app.environ))
    arguments = values_or_file(init, "--init") or settings.init
    worker = Worker.read(app.settings.environ)
    file = worker.ready_file if worker else Path(ready_file) if ready_file else None
    if settings.workers > 1 and worker is None and os.name == "posix":
        serving = _serve_by_workers(flow.name, settings, app.settings.environ, host, port, file)
    else:
        serving = _serve(flow, app, arguments, settings, host, port, file, worker)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as asyncio_runner:
        asyncio_runner.run(serving)


def _spans(flow: Flow, environ: Mapping[str, str]) -> SpanSettings:
    about = {
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "telemetry.sdk.version": __version__,
        "flowyard.flow": flow.name,
    }
    return SpanSettings.read(environ, service=flow.name, about=about)


def _with_variables(flow: Flow, app: App, given: tuple[str, ...]) -> Flow:
    """A served flow's own variables are defaults, which the environment replaces, and the command line both."""
    own = {name: value for name, value in flow.environment_variables.items() if name not in app.settings.environ}
    return replace(flow, environment_variables={**own, **environment_variables(given)})


async def _serve_by_workers(
    name: str, settings: ServingSettings, environ: Mapping[str, str], host: str, port: int, ready_file: Path | None
) -> None:
    def warn(text: str) -> None:
        print_warnings((text,))

    if settings.workers > 2 * (cores := os.cpu_count() or 1):
        warn(f"PROMPTFLOW_WORKER_NUM asks for {settings.workers} processes on {cores} cores; each loads the flow anew.")
    workers = Workers(settings.workers, own_command(), environ, settings.grace_s, warn)
    await serve_until_stopped(workers, host, port, say=_said(name), ready_file=ready_file)


def _said(name: str) -> Callable[[str], str]:
    return lambda url: f"{name} on {url}/score"


async def _serve(
    flow: Flow,
    app: App,
    init: Mapping[str, Any],
    settings: ServingSettings,
    host: str,
    port: int,
    ready_file: Path | None,
    worker: Worker | None,
) -> None:
    runner = await prepare(
        flow,
        app.connections(),
        ProviderOpener(CallRules(price_files=find_price_files(price_folders(app.settings), None))),
        init=init,
        threads=min(settings.threads or settings.at_once, settings.at_once),
        eager_threads=_EAGER_THREADS,
        urls=app.urls,
    )
    if worker is None or worker.number == 0:
        print_warnings((*runner.warnings, *runner.stream_warnings()))
    try:
        server = FlowServer(runner, settings, worker)
        say = None if worker else _said(runner.flow.name)
        await serve_until_stopped(server, host, port, say=say, ready_file=ready_file)
    finally:
        await runner.close()
