"""What Python code outside of a command stands on: the settings, the opened parts and the services of this process.

The folder where runs are kept is decided once, at the first use; variables and ``.env`` files are read when they are
needed, because scripts set them on the way.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from flowyard._util.aio import run_blocking
from flowyard.app import App, open_app
from flowyard.llm import open_provider
from flowyard.llm.services import Services, current_services
from flowyard.media import UrlRules
from flowyard.settings import Settings

__all__ = ["app", "services", "settings"]


def settings() -> Settings:
    """The settings of this process, with the environment as it is now. Raises UserError."""
    return replace(_first_settings(), environ=os.environ)


def app(near: Path | None = None) -> App:
    """The opened parts; ``near`` is the flow at hand, whose project's connections count. Raises UserError."""
    return open_app(settings(), near)


def services() -> Services:
    """The services of the flow whose code is running, or those of this process outside of flows. Raises UserError."""
    return current_services() or _process_services()


@cache
def _first_settings() -> Settings:
    return Settings.read()


@cache
def _process_services() -> Services:
    opened = app()
    made = Services(opened.connections(), open_provider, urls=UrlRules(opened.settings.image_hosts))
    atexit.register(_close, made, os.getpid())
    return made


def _close(made: Services, pid: int) -> None:
    if os.getpid() == pid:  # in a forked child they are the parent's
        run_blocking(made.close())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process_services.cache_clear)
