"""Sessions on this machine: which kind a flow gets."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from flowyard.flows.model import FlexFlow, Flow
from flowyard.sessions.environments.choice import SessionChoice
from flowyard.sessions.environments.worker_environment import WorkerEnvironment
from flowyard.sessions.pool import PooledSession
from flowyard.sessions.session import Session, SessionRequest

__all__ = ["LocalSessions", "SessionOpener", "open_inline"]

SessionOpener = Callable[[SessionRequest], Session]
"""Opens a session inside a running event loop; what is wrong with the flow shows when it is made ready."""


_INLINE = "flowyard.sessions.inline:InlineSession"
"""Imported when one is opened: with it comes all that runs flows, which a process that has workers never needs."""


def open_inline(request: SessionRequest) -> Session:
    """A session in this process."""
    module, name = _INLINE.split(":")
    session: Session = getattr(import_module(module), name)(request)
    return session


@dataclass(frozen=True, slots=True)
class LocalSessions:
    """Opens sessions of ``workers`` processes in the environment that was chosen, this process's own without a choice.

    ``folders`` are where runs write; workers see them.
    """

    workers: int = 1
    choice: SessionChoice | None = None
    folders: tuple[Path, ...] = ()

    def __call__(self, request: SessionRequest) -> Session:
        """A pool of workers; a flow that exists in this process only, as an object, runs here."""
        if _is_here_only(request):
            return open_inline(request)
        return PooledSession(request, self.workers, self._environment(request.flow))

    def _environment(self, flow: Flow) -> WorkerEnvironment | None:
        if self.choice is None:
            return None
        environment = self.choice.open(flow)
        if self.choice.kind == "container":  # what is not there yet cannot be shown to it later
            for folder in self.folders:
                folder.mkdir(parents=True, exist_ok=True)
        return environment.paths_visible(self.folders)


def _is_here_only(request: SessionRequest) -> bool:
    if isinstance(request.flow, FlexFlow) and request.flow.target is not None:
        return True
    try:
        pickle.dumps(dict(request.init))
    except Exception:  # any object may refuse
        return True
    return False
