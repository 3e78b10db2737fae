"""HTTP sessions for code that is called from several event loops."""

from __future__ import annotations

import asyncio
from urllib.request import getproxies
from weakref import WeakKeyDictionary

import aiohttp

from flowyard._util.no_metadata import NoMetadataConnector

__all__ = ["HttpSessions"]

_MOST_CONNECTIONS = 512


class HttpSessions:
    """One session per event loop, made on first use. Sessions use the proxies of the environment and keep no cookies.

    With ``trust_env`` every request looks the environment up in threads, which costs as much as all the rest of it, so
    it is asked for only where there are proxies.
    """

    def __init__(self) -> None:
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()
        self._closed = False

    def get(self) -> aiohttp.ClientSession:
        """The session of the running loop. Raises RuntimeError once closed."""
        if self._closed:
            raise RuntimeError("The HTTP sessions are closed.")
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            connector = NoMetadataConnector(limit=_MOST_CONNECTIONS)
            session = self._sessions[loop] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(loop=loop), trust_env=bool(getproxies())
            )
        return session

    async def close(self) -> None:
        """Close every session on the loop it belongs to."""
        self._closed = True
        here = asyncio.get_running_loop()
        for loop, session in list(self._sessions.items()):
            if loop is here or not loop.is_running():
                await session.close()
            else:
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(session.close(), loop))
        self._sessions.clear()
