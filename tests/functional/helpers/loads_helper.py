"""Many clients at once, counted exactly, and raw bytes sent to a server."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from functional_helper import one_node_flow

from flowyard.abc import Target
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.targets import open_target

__all__ = ["ENDPOINT", "Crowd", "crowd", "deployed", "raw_answer", "wanted"]

ENDPOINT = "loads-dev"
FLOW = one_node_flow({"x": "string"})
TOOL = "from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n    return x\n"
PATIENCE_S = 120


@dataclass
class Crowd:
    """Clients that ask over kept connections without a pause. ``wrong`` has all that was no 200."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, url: str) -> None:
        kept = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        while not self.stop.is_set():
            try:
                kept.request("POST", "/score", b'{"x": "tea"}', {"Content-Type": "application/json"})
                answer = kept.getresponse()
                text = answer.read().decode()
                if answer.status != 200:
                    self.wrong.append(f"{answer.status} {text}")
                self.answers[str(answer.headers["x-flowyard-deployment"])] += 1
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
                kept.close()
            self.began.set()
            self.stop.wait(0.005)  # leaves the machine to those that are tested
        kept.close()


@contextmanager
def crowd(url: str, clients: int) -> Iterator[Crowd]:
    """Clients who ask as long as the context lasts."""
    made = Crowd()
    threads = [threading.Thread(target=made.run, args=(url,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        assert made.began.wait(PATIENCE_S)
        yield made
    finally:
        made.stop.set()
        for thread in threads:
            thread.join()


def wanted(root: Path, number: int, tool: str = TOOL, **variables: str) -> WantedDeployment:
    """The deployment ``v<number>`` of a flow that echoes."""
    folder = root / f"files-{number}"
    folder.mkdir(exist_ok=True)
    (folder / "flow.dag.yaml").write_text(FLOW)
    (folder / "work.py").write_text(tool)
    made = {"folder": folder, "definition": "flow.dag.yaml", "variables": variables}
    return WantedDeployment(ENDPOINT, f"v{number}", f"loads:{number}", f"{number:064d}", **made)  # type: ignore[arg-type]


@contextmanager
def deployed(root: Path, tool: str = TOOL, **variables: str) -> Iterator[tuple[Target, str]]:
    """The target local with ``v0`` serving: the target and the endpoint's address."""
    target = open_target("local", root / "home", os.environ, {})
    try:
        target.apply(wanted(root, 0, tool, **variables))
        target.set_shares(ENDPOINT, {"v0": 100})
        address = target.status(ENDPOINT).address
        assert address
        yield target, address
    finally:
        target.remove(ENDPOINT)


def raw_answer(url: str, *parts: bytes) -> bytes:
    """All that is said to these bytes until the server closes."""
    parts_of_url = urlsplit(url)
    with socket.create_connection((str(parts_of_url.hostname), int(parts_of_url.port or 0)), PATIENCE_S) as one:
        answer = b""
        try:
            for part in parts:
                one.sendall(part)
            while piece := one.recv(65536):
                answer += piece
        except ConnectionError:
            pass
        return answer
