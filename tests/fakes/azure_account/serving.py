"""A server on 127.0.0.1 in a thread of its own, over TLS and without."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from azure_ml.certificate import write_certificate


@contextmanager
def serving(folder: Path, handle: Callable[[web.Request], Awaitable[web.Response]]) -> Iterator[tuple[str, str]]:
    """Its two addresses, until the context ends. ``folder`` has or gets the certificate, ``certificate.pem``."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():  # two authorities of one name are one too many for OpenSSL
        write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, name="stand-in")
    thread.start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}", f"http://127.0.0.1:{runner.addresses[1][1]}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
