"""A flow becomes a ``LineRunner``: files, templates and connections are resolved before a token is paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from flowyard.abc import Provider
from flowyard.engine.environment import FlowEnvironment, resolve_variables
from flowyard.engine.host import CodeHost
from flowyard.engine.runner import LineRunner, Surroundings
from flowyard.errors import UserError
from flowyard.flows.model import DagFlow, FlexFlow, Flow, PromptyFlow
from flowyard.llm.connection import Connection
from flowyard.llm.connections import Connections
from flowyard.llm.services import Services, use_services
from flowyard.media import UrlRules

__all__ = ["prepare"]


async def prepare(
    flow: Flow,
    connections: Connections,
    open_provider: Callable[[Connection], Provider],
    *,
    init: Mapping[str, Any] | None = None,
    threads: int = 16,
    eager_threads: int | None = None,
    only: str | None = None,
    urls: UrlRules | None = None,
) -> LineRunner:
    """Resolve all that a flow needs, used or not. Close the runner when done.

    ``init`` are the arguments of a flow that is a class. ``threads`` is how many synchronous tools may run at once,
    of which all but ``eager_threads`` start only when calls have to wait (None: when no thread is idle);
    ``only`` names the one node to resolve; ``urls`` says where pictures may be downloaded from. Raises FlowInvalid with
    every problem found, or the error itself when there is one only (a missing connection keeps its own class and hint).
    """
    if init and not isinstance(flow, FlexFlow):
        raise UserError(f"{flow.file.name} is not a class, so it takes no init values.", hint="Leave out --init.")
    environment = FlowEnvironment(resolve_variables(flow, connections))
    host = CodeHost(flow.folder, threads, environment, eager=eager_threads)
    around = Surroundings(Services(connections, open_provider, urls=urls), host, environment)
    try:
        with use_services(around.services):  # code that is imported may already ask for them
            runner: LineRunner = await around.host.in_thread(_prepare, flow, around, init or {}, only)
        return runner
    except BaseException:
        await around.close()
        raise


def _prepare(flow: Flow, around: Surroundings, init: Mapping[str, Any], only: str | None) -> LineRunner:
    place = _KINDS.get(type(flow))
    if place is None:
        raise UserError(f"{flow.file} is a flow of an unknown kind.")
    module, name = place.split(":")
    prepare_kind: Callable[..., LineRunner] = getattr(import_module(module), name)
    match flow:
        case DagFlow():
            return prepare_kind(flow, around, only)
        case FlexFlow():
            return prepare_kind(flow, around, init)
    return prepare_kind(flow, around)


_KINDS: Mapping[type[Flow], str] = {
    DagFlow: "flowyard.engine.dag:prepare_dag",
    FlexFlow: "flowyard.engine.flex:prepare_flex",
    PromptyFlow: "flowyard.engine.prompty:prepare_prompty",
}
"""Kind of flow -> ``module:function``, imported when there is one: each kind needs much that the others do not."""
