"""Serving an HTTP application until the process is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flowyard._util.addresses import parse_address
from flowyard._util.files import write_atomic
from flowyard.errors import UserError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Stoppable", "is_loopback", "listen_until_stopped", "serve_until_stopped"]


class Stoppable(Protocol):
    """A server that can be started and ended."""

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""

    async def close(self) -> None:
        """End what is under way, then the server."""


async def serve_until_stopped(
    server: Stoppable, host: str, port: int, *, say: Callable[[str], str] | None, ready_file: Path | None = None
) -> None:
    """The same as ``listen_until_stopped`` for a server that ends in its own way.

    ``say`` None prints nothing. A second signal cancels its ``close``, which then has to be quick.
    """
    try:
        _, port = await server.listen(host, port)
    except BaseException as error:
        await server.close()
        if isinstance(error, OSError):
            raise _cannot_listen(host, port, error) from None
        raise
    closing: asyncio.Future[None] | None = None

    def hurry() -> None:
        if closing is not None:
            closing.cancel()

    try:
        stopped = _stop_event(hurry)
        _tell(f"http://{f'[{host}]' if ':' in host else host}:{port}", say, ready_file)
        await stopped.wait()
    finally:
        if ready_file:  # who finds the server by it goes elsewhere from now on
            _forget(ready_file)
        closing = asyncio.ensure_future(server.close())
        with contextlib.suppress(asyncio.CancelledError):
            await closing


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)


def _tell(url: str, say: Callable[[str], str] | None, ready_file: Path | None) -> None:
    if say is not None:
        sys.stdout.write(say(url) + "\n")
        sys.stdout.flush()
    if ready_file:
        write_atomic(ready_file, url)


def _cannot_listen(host: str, port: int, error: OSError) -> UserError:
    hint = "Choose another port, or 0 for any free one."
    return UserError(f"Cannot listen on {host}:{port}: {error.strerror or error}.", hint=hint)


async def listen_until_stopped(
    app: web.Application,
    host: str,
    port: int,
    *,
    say: Callable[[str], str],
    ready_file: Path | None = None,
    shutdown_s: float = 1.0,
) -> None:
    """Serve until SIGINT or SIGTERM; port 0 takes a free one.

    ``say`` makes of the server's address the one line that is printed; ``ready_file`` receives the address once the
    server accepts connections. Requests under way get ``shutdown_s`` to end. Raises UserError for an address that
    cannot be used.
    """
    from aiohttp import web  # noqa: PLC0415 - heavy, and flows are served without it

    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_s)
    await runner.setup()
    try:
        stopped = _stop_event()
        _tell(await _listen(runner, host, port), say, ready_file)
        await stopped.wait()
    finally:
        await runner.cleanup()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on ``host``."""
    address = parse_address(host.removeprefix("[").removesuffix("]"))
    return host == "localhost" or (address is not None and address.is_loopback)


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    from aiohttp import web  # noqa: PLC0415 - as above

    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{runner.addresses[0][1]}"


def _stop_event(again: Callable[[], None] = lambda: None) -> asyncio.Event:
    """Set by the first signal; each further one calls ``again``."""
    stopped = asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            again()
        stopped.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows has no signal handlers in its loops; there Ctrl+C ends asyncio.run.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop)
    return stopped
