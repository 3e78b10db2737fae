"""What code outside of any flow stands on: a script or a notebook that calls a prompty or a flow directly.

Import it by its full name, ``flowyard.compat.promptflow._ambient``, so that there is one of it in a process.
"""

from __future__ import annotations

import atexit
import threading

from flowyard._util.aio import run_blocking
from flowyard.app import App, open_app
from flowyard.llm import open_provider
from flowyard.llm.services import Services, current_services
from flowyard.media import UrlRules
from flowyard.settings import Settings

__all__ = ["app", "services"]

_lock = threading.RLock()
_made: list[tuple[App, Services]] = []


def app() -> App:
    """The opened parts of this process, from the environment and the project around the working directory.

    Settled at the first call. Raises UserError when a setting or an ``.env`` file is wrong.
    """
    return _own()[0]


def services() -> Services:
    """The services of the flow whose code is running, else those of this process. Raises UserError as ``app`` does."""
    return current_services() or _own()[1]


def _own() -> tuple[App, Services]:
    with _lock:
        if not _made:
            opened = open_app(Settings.read())
            own = Services(opened.connections(), open_provider, urls=UrlRules(opened.settings.image_hosts))
            atexit.register(lambda: run_blocking(own.close()))
            _made.append((opened, own))
        return _made[0]
