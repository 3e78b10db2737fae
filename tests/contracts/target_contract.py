"""What every target has to do, whatever is behind it; a test class for each target gives what is different."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.abc import Target
from flowyard.deploy.model import Address, WantedDeployment
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

FLOW = """\
inputs:
  text: {type: string}
outputs:
  answer: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {text: "${inputs.text}"}
"""
TOOL = """\
import os
from promptflow.core import tool


@tool
def work(text: str):
    if text == "die":
        os._exit(9)
    return f"%s {os.environ.get('GREETING', '')} {text}"
"""


def post(address: Address, text: str) -> str:
    """What a flow answers; raises when it does not."""
    body = json.dumps({"text": text}).encode()
    headers = {"Content-Type": "application/json", **address.headers}
    request = urllib.request.Request(f"{address.url}/score", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["answer"]


def answer_in_the_end(address: Address, tries: int = 600) -> str:
    """What is answered once nobody says any more that nobody is there."""
    for _ in range(tries):
        try:
            return post(address, "x")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in (502, 503):
                raise
        threading.Event().wait(0.1)
    raise AssertionError("it was not started again")


@dataclass
class Clients:
    """Somebody who asks the endpoint without a pause, and notes every answer and every failure."""

    address: Address
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Clients:
        self._stop, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._begun.wait(60)
        return self

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.answers.append(post(self.address, "x"))
            except (OSError, ValueError, KeyError) as error:
                self.failures.append(repr(error))
            self._begun.set()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class TargetContract:
    """Subclasses have the fixture ``target`` and the method ``wanted``.

    ``nobody_serves`` is the status with which an endpoint answers whose deployments get no requests.
    """

    nobody_serves = 503

    can_split = True
    """Whether requests can be split between deployments."""

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        """A deployment whose answers begin with ``word``."""
        folder = tmp_path / f"version-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "flow.dag.yaml").write_text(FLOW)
        (folder / "work.py").write_text(TOOL % word)
        made = WantedDeployment("shop-dev", name, f"shop:{name[1:]}", name[-1] * 64, folder=folder)
        return replace(made, definition="flow.dag.yaml", variables={"GREETING": "hi"}, **changes)

    def rebuilt(self, wanted: WantedDeployment) -> WantedDeployment:
        """The same after its files changed."""
        return wanted

    def test_what_is_not_there_is_empty(self, target: Target):
        assert target.status("nothing").deployments == ()
        assert target.status("nothing").shares == {}
        target.remove("nothing")
        target.remove("nothing", "v1")
        with pytest.raises(NotFound), target.reach("nothing"):
            raise AssertionError("there is none")

    def test_the_life_of_an_endpoint(self, target: Target, tmp_path: Path):
        one, two = self.wanted(tmp_path, "v1", "one"), self.wanted(tmp_path, "v2", "two")
        changes = target.plan(one)
        assert {change.before for change in changes} == {None}
        assert changes[-1].what == "deployment v1"
        assert len(changes) > 1, "the endpoint is not there either"
        made = target.apply(one)
        assert (made.name, made.state, made.traffic, made.version_label) == ("v1", "ready", 0, "shop:1")
        assert target.plan(one) == []
        assert target.status("shop-dev").shares == {}
        with target.reach("shop-dev", "v1") as alone:
            assert post(alone, "x") == "one hi x"  # before anybody else gets there
        with target.reach("shop-dev") as address:
            with pytest.raises(urllib.error.HTTPError) as refused:
                post(address, "x")
            assert refused.value.code == self.nobody_serves
            refused.value.close()
            target.set_shares("shop-dev", {"v1": 100})
            assert post(address, "x") == "one hi x"
            with Clients(address) as clients:
                target.apply(two)
                target.set_shares("shop-dev", {"v2": 100})
                assert post(address, "x") == "two hi x"
                with pytest.raises(Conflict):
                    target.remove("shop-dev", "v2")
                target.set_shares("shop-dev", {"v1": 100})
                self.split(target)
                target.set_shares("shop-dev", {"v2": 100})
                target.remove("shop-dev", "v1")
            assert clients.failures == []
            assert {"one hi x", "two hi x"} >= set(clients.answers)
        assert [each.name for each in target.status("shop-dev").deployments] == ["v2"]
        self.wrong_shares_change_nothing(target)
        assert target.apply(two) == target.apply(two)
        target.remove("shop-dev")
        assert target.status("shop-dev").deployments == ()
        target.remove("shop-dev")

    def split(self, target: Target) -> None:
        if self.can_split:
            target.set_shares("shop-dev", {"v1": 50, "v2": 50})
            return
        with pytest.raises(UserError, match="cannot split"):
            target.set_shares("shop-dev", {"v1": 50, "v2": 50})

    def wrong_shares_change_nothing(self, target: Target) -> None:
        wrong: list[Mapping[str, int]] = [{"v2": 90}, {"v2": 110}, {"v2": 150, "v3": -50}]
        for shares in wrong:
            with pytest.raises(UserError):
                target.set_shares("shop-dev", shares)
        with pytest.raises(NotFound):
            target.set_shares("shop-dev", {"v3": 100})
        assert target.status("shop-dev").shares == {"v2": 100}

    def test_a_flow_that_cannot_start_says_why_and_is_made_anew(self, target: Target, tmp_path: Path):
        broken = self.wanted(tmp_path, "v1", "one")
        assert broken.folder is not None
        (broken.folder / "work.py").write_text("import nothing_of_that_name\n")
        broken = self.rebuilt(broken)
        assert broken.folder is not None
        with pytest.raises(OutsideError, match="nothing_of_that_name"):
            target.apply(broken)
        found = target.status("shop-dev").find("v1")
        assert found is not None
        assert found.state in ("failed", "stopped")
        assert any("nothing_of_that_name" in line for line in target.logs("shop-dev", "v1"))
        (broken.folder / "work.py").write_text(TOOL % "one")
        assert target.apply(self.rebuilt(broken)).state == "ready"

    def test_what_crashes_is_started_again(self, target: Target, tmp_path: Path):
        target.apply(self.wanted(tmp_path, "v1", "one"))
        target.set_shares("shop-dev", {"v1": 100})
        with target.reach("shop-dev") as address:
            with pytest.raises((OSError, ValueError)):
                post(address, "die")
            assert answer_in_the_end(address) == "one hi x"
