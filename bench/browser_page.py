"""A page in a real Chromium, driven over its debugging protocol: what a reader sees, presses and hears about."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

BROWSER = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
PATIENCE_S = 120

_Result = TypeVar("_Result")


class BrowserPage:
    """One tab. ``problems`` are console errors, exceptions and refusals by the policy; ``requests`` all URLs asked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session_id: str) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._session_id = session_id
        self._sent = 0
        self._loaded = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Take what the browser says until it is gone."""
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                self._answers.pop(data["id"]).set_result(data)
            else:
                self._note(data["method"], data.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(params["args"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, with its result."""
        self._sent += 1
        answer = self._answers[self._sent] = asyncio.get_running_loop().create_future()
        message = {"id": self._sent, "method": method, "params": params, "sessionId": self._session_id}
        await self._socket.send_json({key: value for key, value in message.items() if value != ""})
        data = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in data, data
        result: dict[str, Any] = data["result"]
        return result

    async def open(self, path: Path, fragment: str = "") -> None:
        """Load a file anew and wait until its script is done with the beginning."""
        await self.load("about:blank")  # else another fragment of the same file would load nothing
        await self.load(f"{path.as_uri()}{fragment}")
        await self.until("document.documentElement.dataset.ready === 'yes'")

    async def load(self, url: str) -> None:
        """Load what has an address; until its load event."""
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    async def get(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            allowUnsafeEvalBlockedByCSP=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression holds, looking once each frame."""
        look = f"const look = () => ({expression}) ? done(true) : requestAnimationFrame(look);"
        await self.get(f"new Promise((done) => {{ {look} look(); }})")

    async def press(self, key: str, code: int = 0, text: str = "") -> None:
        """One key, down and up."""
        event = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        await self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def write(self, text: str) -> None:
        """Text into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, wherever it is on the page."""
        place = f"document.querySelector({json.dumps(selector)})"
        await self.get(f"{place}.scrollIntoView({{block: 'center'}})")
        box = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({place}.getBoundingClientRect())"
        x, y = await self.get(box)
        event = {"x": x, "y": y, "button": "left", "clickCount": 1}
        await self.call("Input.dispatchMouseEvent", type="mousePressed", **event)
        await self.call("Input.dispatchMouseEvent", type="mouseReleased", **event)

    async def follow(self, selector: str) -> None:
        """Click what leads to another page, until that is loaded."""
        self._loaded.clear()
        await self.click(selector)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    async def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Set the window's size and the reader's preference of colours."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, *, whole: bool = True) -> bytes:
        """A PNG of the page, or of what is in sight."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])


def in_browser(folder: Path, use: Callable[[BrowserPage], Awaitable[_Result]]) -> _Result:
    """Use one page of a Chromium of its own."""
    with running_browser(folder) as address:
        return in_new_page(address, use)


@contextmanager
def running_browser(folder: Path) -> Iterator[str]:
    """The address of a Chromium with a fresh profile in ``folder``, which ends with the block."""
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield next(line.split()[-1] for line in process.stderr if "DevTools listening on" in line)
    finally:
        process.kill()
        process.communicate()


def in_new_page(address: str, use: Callable[[BrowserPage], Awaitable[_Result]]) -> _Result:
    """Use a new page of a running browser; it has no state of other pages."""
    return asyncio.run(_use(address, use))


async def _use(address: str, use: Callable[[BrowserPage], Awaitable[_Result]]) -> _Result:
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        browser = BrowserPage(socket, "")
        listening = asyncio.create_task(browser.listen())
        try:
            context = (await browser.call("Target.createBrowserContext"))["browserContextId"]
            target = await browser.call("Target.createTarget", url="about:blank", browserContextId=context)
            attached = await browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            browser._session_id = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                await browser.call(f"{domain}.enable")
            found = await use(browser)
            await browser.call("Page.close")
            return found
        finally:
            listening.cancel()
