"""Deploys again and again, killed at another place each time; prints what came of it.

    python deploy_fault_points.py FOLDER ATTEMPTS

The places are those of ``fault_points.py``: wherever the deployer changes something below the home. Two versions take
turns, so that each attempt has something to replace. After the kill the shares add up to 100, and the same command,
given again in another process, comes to the same as without a kill. The first line that is printed is the endpoint's
address, so that somebody can ask it all the time; the last one is what came of it. Each attempt is a forked process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from command_fault_points import Places, forked
from deploy_helper import Shop
from fault_points import NEVER, import_what_is_imported
from functional_helper import clean_environment
from whole_home import call

APPLY = ("deploy", "apply", ".", "--env", "dev", "--json", "--version")
STATUS = ("deploy", "status", ".", "--env", "dev", "--json")


class Deployer:
    """A use case with two versions, of which the first serves."""

    def __init__(self, base: Path) -> None:
        self.base, self.note = base, base / "place"
        os.environ["SHOP_GREETING"] = "hi"
        self.shop = Shop(base / "project")
        for word in ("one", "two"):
            self.shop.register(word)

    def killed(self, kind: str, at: int, version: int) -> int:
        """Deploy, and be killed at a place; its exit code."""

        def work() -> int:
            places = Places(kind, at, str(self.base / "home"), note=self.note)
            places.install()
            code = call(self.base, *APPLY, str(version)).code
            with places._real_open(self.base / "seen", "w") as file:
                file.write(str(places.seen))
            return code

        self.note.unlink(missing_ok=True)
        return forked(work)

    def look(self) -> Any:
        """The state of the endpoint, as another process sees it."""
        noted = self.base / "status"
        assert forked(lambda: self._write(noted, call(self.base, *STATUS).out)) == 0
        return json.loads(noted.read_text())

    def again(self, version: int) -> int:
        """The same command in another process, and then the other version's deployment is taken away."""
        return forked(lambda: call(self.base, *APPLY, str(version)).code)

    def forget_others(self) -> None:
        for each in self.look()["deployments"]:
            if not each["traffic"]:
                words = ("deploy", "remove", ".", "--env", "dev", "--deployment", each["name"])
                assert forked(lambda words=words: call(self.base, *words).code) == 0  # type: ignore[misc]

    def _write(self, file: Path, text: str) -> int:
        file.write_text(text)
        return 0


def main() -> None:
    base, attempts = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    os.environ.update(clean_environment())
    deployer = Deployer(base)
    try:
        import_what_is_imported(lambda: forked(lambda: call(base, *STATUS).code), base / "modules")
        assert deployer.again(1) == 0
        print(deployer.look()["address"], flush=True)
        assert deployer.killed("none", NEVER, 2) == 0
        seen = int((base / "seen").read_text())
        deployer.forget_others()
        found = [_attempt(deployer, number, seen * number // attempts + 1) for number in range(attempts)]
        print(json.dumps(found), flush=True)
    finally:
        deployer.shop.clean_up()


def _attempt(deployer: Deployer, number: int, at: int) -> dict[str, Any]:
    version = number % 2 + 1
    ended = deployer.killed(("kill before", "kill after")[number // 2 % 2], at, version)
    place = deployer.note.read_text() if deployer.note.exists() else ""
    between = deployer.look()
    again = deployer.again(version)
    after = deployer.look()
    deployer.forget_others()
    serving = [each["version"] for each in after["deployments"] if each["traffic"] == 100]
    return {
        "at": at,
        "place": place,
        "ended": ended,
        "sum": sum(between["traffic"].values()),
        "again": again,
        "right": serving == [f"shop:{version}"] and len(after["deployments"]) <= 2,
    }


if __name__ == "__main__":
    main()
