"""Servers on 127.0.0.1 in a thread of their own, over TLS and without."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from stand_in.certificate import server_context, write_certificate

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LARGEST = 64 << 20
_Result = TypeVar("_Result")


async def start_site(handle: Handle, context: ssl.SSLContext | None = None, port: int = 0) -> tuple[web.AppRunner, str]:
    """A server for all paths and methods, and its address; ``cleanup`` of the first ends it."""
    app = web.Application(client_max_size=_LARGEST)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    port = runner.addresses[0][1]
    return runner, f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}"


@contextmanager
def running_app(start: Callable[[], Awaitable[Callable[[], Awaitable[None]]]]) -> Iterator[None]:
    """A loop in a thread until the context ends. ``start`` begins what is served, and gives what ends it."""
    loop = asyncio.new_event_loop()
    end = loop.run_until_complete(_awaited(start))
    thread = threading.Thread(target=loop.run_forever, name="stand-in")
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_awaited(end), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serving(folder: Path, handle: Handle) -> Iterator[tuple[str, str]]:
    """Its two addresses, until the context ends. ``folder`` has or gets the certificate, ``certificate.pem``."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():  # two authorities of one name are one too many for OpenSSL
        write_certificate(folder)
    addresses = []

    async def start() -> Callable[[], Awaitable[None]]:
        sites = [await start_site(handle, server_context(certificate, key)), await start_site(handle)]
        addresses.extend(address for _, address in sites)

        async def end() -> None:
            for runner, _ in sites:
                await runner.cleanup()

        return end

    with running_app(start):
        yield addresses[0], addresses[1]


async def _awaited(begin: Callable[[], Awaitable[_Result]]) -> _Result:
    return await begin()
