"""The Ray cluster that runs use: the one at an address, a running one, or one that is started here for this process.

Ray is connected once in a process and let go when the process ends, which ends a cluster that was started here.
"""

from __future__ import annotations

import logging
import math
import os
from importlib import import_module
from typing import Any

from flowyard.errors import ExtraMissing, OutsideError, UserError

__all__ = ["count_machines", "import_ray", "join_cluster", "require_address", "require_cpus"]

_OWN = "local"
_LOOPBACK = "127.0.0.1"
_ONLY_HERE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's name for what it does on those systems, and on all when it is 0: nodes listen on the loopback address only.

It is read when Ray is imported, so the constant that came of it is set as well; whether it helped is checked.
"""
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is reported to anybody; the second keeps Ray from warning about graphics cards."""


def import_ray() -> Any:
    """The package ``ray``. Raises ExtraMissing."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)  # Ray reads them when it is imported, and its processes inherit them
    try:
        import ray  # noqa: PLC0415 - heavy, and only runs on a cluster need it
    except ImportError:
        raise ExtraMissing("--backend ray takes Ray.", hint="pip install 'flowyard[ray]'") from None
    return ray


def require_address(address: str) -> str:
    """The address as Ray takes it. Raises UserError for the kind that drives a cluster from outside."""
    if "://" in address:
        raise UserError(
            f"--address {address} is not HOST:PORT.",
            hint="Drive the run on a machine of the cluster: --address auto, or HOST:PORT of the cluster's head.",
        )
    return address


def join_cluster(address: str | None, workers: int) -> Any:
    """Ray, connected. ``workers`` is how many CPUs a cluster that is started here needs at most.

    Raises OutsideError when there is no cluster at ``address``, ExtraMissing without Ray.
    """
    ray = import_ray()
    if ray.is_initialized():
        return ray
    try:
        if address is not None and address != _OWN:
            ray.init(address, logging_level=logging.ERROR)
        elif address == _OWN or not _join_running(ray):
            _start_own(ray, workers)
    except OutsideError:
        raise
    except Exception as error:  # Ray and the libraries below it have errors of many kinds
        where = "here" if address in (None, _OWN) else f"at {address}"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        hint = "Start one: ray start --head" if address else None
        raise OutsideError(f"There is no Ray cluster {where}: {lines[0]}", hint=hint) from error
    return ray


def _join_running(ray: Any) -> bool:
    try:
        ray.init("auto", logging_level=logging.ERROR)
    except ConnectionError:
        return False
    return True


def _start_own(ray: Any, workers: int) -> None:
    """A cluster of this machine that only this machine can reach; it ends with this process. Raises OutsideError."""
    os.environ[_ONLY_HERE] = "0"
    import_module("ray._private.ray_constants").ENABLE_RAY_CLUSTER = False  # type: ignore[attr-defined]
    ray.init(
        "local",
        num_cpus=max(1, min(workers, os.cpu_count() or 1)),
        num_gpus=0,
        include_dashboard=False,
        logging_level=logging.ERROR,
        _node_ip_address=_LOOPBACK,
    )
    if any(node["NodeManagerAddress"] != _LOOPBACK for node in ray.nodes()):
        ray.shutdown()
        raise OutsideError(
            f"Ray {ray.__version__} would open a cluster of this machine to its network.",
            hint="Start one as you see fit, and use it: ray start --head; flowyard … --backend ray --address auto",
        )


def require_cpus(ray: Any) -> int:
    """The CPUs of the nodes that are alive. Raises OutsideError when there are none."""
    nodes = (node for node in ray.nodes() if node["Alive"])
    cpus: int = sum(math.floor(node["Resources"].get("CPU", 0)) for node in nodes)
    if not cpus:
        raise OutsideError("The Ray cluster has no CPUs: no worker can be started.")
    return cpus


def count_machines(ray: Any) -> int:
    """How many machines the nodes that are alive are on."""
    return len({node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]})
