"""Pods that are processes of this machine, which are started again when they crash."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes_api.objects import Objects

Program = Callable[[int], Sequence[str]]
"""The command of an image for a port of this machine."""
_CRASHES = 2
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Pod:
    """One pod of a Deployment."""

    name: str
    labels: dict[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    ready: bool = False
    is_kept_up: bool = False
    """Whether it counts as running without a process."""

    @property
    def body(self) -> dict[str, Any]:
        state: dict[str, Any] = {"running": {}}
        if self.process is None and not self.is_kept_up:
            state = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
        elif not self.ready and self.restarts >= _CRASHES:
            state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        status = {"name": "flow", "ready": self.ready, "restartCount": self.restarts, "state": state}
        condition = {"type": "Ready", "status": "True" if self.ready else "False"}
        return {
            "metadata": {"name": self.name, "labels": self.labels},
            "status": {"conditions": [condition], "containerStatuses": [status]},
        }


class Pods:
    """The pods of all Deployments; ``look`` does what a cluster does by itself all the time."""

    def __init__(self, folder: Path, programs: dict[str, Program]) -> None:
        self._folder = folder
        self._programs = programs
        self.found: dict[str, Pod] = {}
        self.never_ready: set[str] = set()
        """Images whose pods never get ready."""
        self.without_processes = False
        """Whether pods of every image are ready at once and answer nothing, for tests that look at objects only."""

    def look(self, objects: Objects) -> None:
        """Start what should run, and see what runs; the states of Deployments follow."""
        for deployment in objects.of("Deployment"):
            spec, name = deployment["spec"], deployment["metadata"]["name"]
            image = spec["template"]["spec"]["containers"][0]["image"]
            own = [f"{name}-{number}" for number in range(spec["replicas"])]
            for pod in own:
                if pod not in self.found:
                    self._make(pod, spec["template"], objects)
                self._see(self.found[pod], image, spec["template"], objects)
            ready = sum(self.found[pod].ready for pod in own)
            deployment["status"] = {
                "observedGeneration": deployment["metadata"].get("generation", 0),
                **{key: len(own) for key in ("replicas", "updatedReplicas")},
                **dict.fromkeys(("readyReplicas", "availableReplicas"), ready),
            }

    def end(self, deployment: str) -> None:
        """Let the pods of a Deployment finish their requests and end."""
        for name in [name for name in self.found if name.rpartition("-")[0] == deployment]:
            pod = self.found.pop(name)
            if pod.process is not None:
                pod.process.send_signal(signal.SIGTERM)
                pod.process.wait(300)

    def end_all(self) -> None:
        for pod in self.found.values():
            if pod.process is not None:
                pod.process.kill()
                pod.process.wait(300)

    def behind(self, selector: dict[str, str]) -> list[Pod]:
        """The ready pods that a Service with this selector has."""
        return [pod for pod in self.found.values() if pod.ready and selector.items() <= pod.labels.items()]

    def _make(self, name: str, template: dict[str, Any], objects: Objects) -> None:
        pod = self.found[name] = Pod(name, template["metadata"]["labels"], 0, self._folder / f"{name}.log")
        pod.log.unlink(missing_ok=True)
        if self.without_processes:
            pod.is_kept_up = True
            return
        self._start(pod, template, objects)

    def _start(self, pod: Pod, template: dict[str, Any], objects: Objects) -> None:
        container = template["spec"]["containers"][0]
        program = self._programs.get(container["image"])
        if program is None:
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            pod.port = probe.getsockname()[1]
        variables = {each["name"]: _value(each, objects) for each in container["env"]}
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        home = self._folder / f"{pod.name}-home"
        with pod.log.open("ab") as log:
            pod.process = subprocess.Popen(
                list(program(pod.port)),
                env={**kept, **variables, "FLOWYARD_HOME": str(home), "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _see(self, pod: Pod, image: str, template: dict[str, Any], objects: Objects) -> None:
        if self.without_processes:
            pod.ready = image not in self.never_ready
            return
        if pod.process is None:
            return
        if pod.process.poll() is not None:
            pod.restarts, pod.ready = pod.restarts + 1, False
            self._start(pod, template, objects)
        else:
            pod.ready = pod.ready or (image not in self.never_ready and _answers(pod.port))


def _value(variable: dict[str, Any], objects: Objects) -> str:
    if "value" in variable:
        return str(variable["value"])
    place = variable["valueFrom"]["secretKeyRef"]
    secret = objects.get("Secret", place["name"]) or {}
    return base64.b64decode(secret["data"][place["key"]]).decode()


def _answers(port: int) -> bool:
    try:
        with _OPEN.open(f"http://127.0.0.1:{port}/health/ready", timeout=60) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.HTTPError):
        return False
