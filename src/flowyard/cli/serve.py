"""``flowyard flow serve``"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard import __version__
from flowyard._util.listen import is_loopback, listen_until_stopped
from flowyard.app import App
from flowyard.cli.output import print_warnings
from flowyard.engine import prepare
from flowyard.errors import UserError
from flowyard.flows import load_flow
from flowyard.llm import open_provider
from flowyard.serving import ServingSettings, make_app

__all__ = ["serve_flow"]


def serve_flow(app: App, source: Path, init: Mapping[str, Any], host: str, port: int, ready_file: Path | None) -> None:
    """Serve until SIGINT or SIGTERM. Raises UserError when others could reach the flow without a key."""
    settings = ServingSettings.read(app.environ, __version__)
    if settings.key is None and not is_loopback(host):
        hint = "export FLOWYARD_SERVE_KEY=…; callers then send 'Authorization: Bearer …'. Or serve on 127.0.0.1."
        raise UserError(f"On {host} anyone who reaches this machine could run the flow.", hint=hint)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, source, init, settings, host, port, ready_file))


async def _serve(
    app: App,
    source: Path,
    init: Mapping[str, Any],
    settings: ServingSettings,
    host: str,
    port: int,
    ready_file: Path | None,
) -> None:
    runner = await prepare(load_flow(source), app.connections(), open_provider, init=init, urls=app.urls)
    print_warnings(runner.warnings)
    try:
        name = runner.flow.name
        await listen_until_stopped(
            make_app(runner, settings), host, port, say=lambda url: f"{name} on {url}/score", ready_file=ready_file
        )
    finally:
        await runner.close()
