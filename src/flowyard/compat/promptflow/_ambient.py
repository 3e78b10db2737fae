"""What code outside of any flow stands on: a script or a notebook that calls a prompty or a flow directly.

Import it by its full name, ``flowyard.compat.promptflow._ambient``, so that there is one of it in a process.
"""

from __future__ import annotations

import atexit
from functools import cache

from flowyard._util.aio import run_blocking
from flowyard.app import App, open_app
from flowyard.llm import open_provider
from flowyard.llm.services import Services, current_services
from flowyard.settings import Settings

__all__ = ["app", "services"]


@cache
def app() -> App:
    """The opened parts of this process, from the environment and the project around the working directory.

    Settled at the first call. Raises UserError when a setting or an ``.env`` file is wrong.
    """
    return open_app(Settings.read())


def services() -> Services:
    """The services of the flow whose code is running, else those of this process. Raises UserError as ``app`` does."""
    return current_services() or _own_services()


@cache
def _own_services() -> Services:
    made = Services(app().connections(), open_provider)
    atexit.register(lambda: run_blocking(made.close()))
    return made
