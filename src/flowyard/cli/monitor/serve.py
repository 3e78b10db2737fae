"""``flowyard monitor serve``"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path

import click

from flowyard._util.durations import parse_duration
from flowyard._util.event_loop import loop_factory
from flowyard._util.listen import is_loopback, serve_until_stopped
from flowyard.cli.shared.options import read_settings
from flowyard.errors import UserError
from flowyard.production.metrics.prometheus import prometheus_text
from flowyard.production.metrics.readings import read_metrics
from flowyard.production.metrics.server import MetricsServer
from flowyard.production.store.store import open_production
from flowyard.serving.access import require_access
from flowyard.wire import Request

__all__ = ["KEY_VARIABLE", "serve"]

KEY_VARIABLE = "FLOWYARD_MONITOR_KEY"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8902, show_default=True, help="0 takes a free one.")
@click.option("--window", "window_text", default="5m", show_default=True, help="What the numbers are of.")
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
@click.option("--home", metavar="DIR", help="Where runs are kept (default: .flowyard at the project's root).")
def serve(host: str, port: int, window_text: str, ready_file: str | None, home: str | None) -> None:
    """Serve /metrics for Prometheus until SIGINT or SIGTERM: each version, arm and alert of the store.

    Where others reach it, FLOWYARD_MONITOR_KEY is needed, which callers send as 'Authorization: Bearer KEY'.
    """
    settings = read_settings(home)
    key = settings.environ.get(KEY_VARIABLE, "").strip() or None
    if key is None and not is_loopback(host):
        raise UserError(
            f"On {host} anyone who reaches this machine could read the numbers.", hint=f"export {KEY_VARIABLE}=…"
        )
    try:
        window = parse_duration(window_text)
    except ValueError as error:
        raise UserError(f"--window: {error}.") from None
    store = open_production(settings)

    def require(request: Request) -> None:
        require_access(request, key)

    server = MetricsServer(require, lambda: prometheus_text(read_metrics(store, window=window)))
    say = partial("Metrics of {} on {}/metrics".format, store.label)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(
            serve_until_stopped(server, host, port, say=say, ready_file=Path(ready_file) if ready_file else None)
        )
