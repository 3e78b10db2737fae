"""``flowyard deploy``: created alone, tested alone, then requests are shifted; what served before serves throughout."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_helper import TOOL, Shop, ask, asked_all_the_time
from functional_helper import wait_until

BROKEN = """\
from promptflow.core import tool


@tool
def work(x: str):
    raise RuntimeError("no tea left")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop")
    yield made
    made.clean_up()


def test_the_whole_path_with_a_bad_version_and_back(shop: Shop):
    shop.register("one")
    planned = shop.json("deploy", "plan", ".", "--env", "dev")
    assert [change["before"] for change in planned["changes"]] == [None] * 4
    assert shop.json("deploy", "apply", ".", "--env", "dev", "--dry-run") == planned
    assert shop.status()["deployments"] == []
    first = shop.deploy()
    address = first["endpoint"]["address"]
    (one,) = first["endpoint"]["traffic"]
    assert first["endpoint"]["traffic"] == {one: 100}
    assert ask(address) == "one tea"
    assert shop.alias() == 1
    with asked_all_the_time(address) as answers:
        shop.register("two", BROKEN)
        refused = shop.deploy(code=1)
        assert [step["state"] for step in refused["steps"]][3:] == ["refused", "waiting", "waiting", "waiting"]
        assert "no tea left" in refused["steps"][3]["said"]
        assert refused["endpoint"]["traffic"] == {one: 100}
        assert [each["name"] for each in refused["endpoint"]["deployments"]] == [one]
        assert (set(answers), shop.alias()) == ({"one tea"}, 1)
        shop.register("three")
        done = shop.deploy()
        (three,) = done["endpoint"]["traffic"]
        assert (ask(address), shop.alias()) == ("three tea", 3)
        diff = shop("deploy", "rollback", ".", "--env", "dev", "--dry-run").stdout
        assert f"- traffic: {three} 100 %\n+ traffic: {one} 100 %" in diff
        back = shop.json("deploy", "rollback", ".", "--env", "dev")
        assert (back["endpoint"]["traffic"], ask(address), shop.alias()) == ({one: 100}, "one tea", 1)
        assert done["endpoint"]["address"] == back["endpoint"]["address"] == address
    facts = [fact for version in shop.json("registry", "show", "shop")["versions"] for fact in version["lineage"]]
    deployed = [fact["value"]["deployment"] for fact in facts if fact["kind"] == "deployment"]
    assert set(deployed) == {one, three}
    again = shop.deploy("--version", "1")
    assert again["endpoint"]["traffic"] == {one: 100}
    nothing = shop("deploy", "plan", ".", "--env", "dev", "--version", "1")
    assert "deployment" not in [line.split()[1] for line in nothing.stdout.splitlines() if line.startswith("+")]
    shop.json("deploy", "remove", ".", "--env", "dev")
    assert (shop.status()["deployments"], shop.alias()) == ([], None)


def test_a_version_that_nobody_approved_is_not_deployed(shop: Shop):
    shop.register("one")
    done = shop("deploy", "apply", ".", "--env", "prod")
    assert done.returncode == 4
    assert "flowyard approval request" in done.stderr
    assert shop.status("prod")["deployments"] == []
    shop.approve("shop:1")
    assert shop.deploy(env="prod")["state"] == "done"
    shop.register("two")
    assert shop("deploy", "apply", ".", "--env", "prod", "--version", "2").returncode == 4
    assert set(shop.status("prod")["traffic"].values()) == {100}


def test_a_split_keeps_the_alias_until_all_requests_moved(shop: Shop):
    shop.register("one")
    (one,) = shop.deploy()["endpoint"]["traffic"]
    shop.register("two")
    file = shop.root / "deployment.yaml"
    file.write_text(file.read_text().replace("    target: local\n", "    target: local\n    traffic: 20\n", 1))
    split = shop.deploy()["endpoint"]["traffic"]
    (two,) = set(split) - {one}
    assert (split, shop.alias()) == ({one: 80, two: 20}, 1)
    file.write_text(file.read_text().replace("traffic: 20", "traffic: 100"))
    assert (shop.deploy()["endpoint"]["traffic"], shop.alias()) == ({two: 100}, 2)


def test_logs_of_a_flow_that_does_not_start(shop: Shop):
    shop.register("one", "import nothing_of_that_name\n")
    refused = shop.deploy(code=5)
    assert "nothing_of_that_name" in refused["steps"][2]["said"]
    assert refused["endpoint"]["deployments"] == []
    shop.register("two", TOOL)
    name = next(iter(shop.deploy()["endpoint"]["traffic"]))
    assert shop.json("deploy", "logs", ".", "--env", "dev")["deployment"] == name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", ".", "--env", "deev"), "Did you mean 'dev'?"),
        (("apply", ".", "--env", "stage"), "'dev', 'prod'"),
        (("apply", ".", "--env", "dev", "--target", "docker"), "not to 'docker'"),
        (("apply", ".", "--env", "dev"), "No flow 'shop' is registered"),
        (("apply", "nowhere", "--env", "dev"), "There is no use case nowhere"),
        (("apply", "flow", "--env", "dev"), "nothing says where it is deployed"),
        (("rollback", ".", "--env", "dev"), "Nothing is known to have served"),
        (("logs", ".", "--env", "dev"), "has no deployment"),
    ],
)
def test_wrong_input_is_told_and_begins_nothing(shop: Shop, words: tuple[str, ...], said: str):
    (shop.root / "flow").mkdir()
    done = shop("deploy", *words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (shop.home / "deployments").exists()


def test_a_variable_that_is_missing_is_named(shop: Shop):
    shop.register("one")
    file = shop.root / "deployment.yaml"
    file.write_text(file.read_text().replace("${SHOP_GREETING}", "${SHOP_MISSING} ${SHOP_TOO}"))
    done = shop("deploy", "apply", ".", "--env", "dev")
    assert done.returncode == 2
    assert "'SHOP_MISSING', 'SHOP_TOO'" in done.stderr
    assert "deployment.yaml:2" in done.stderr


def test_a_release_ends_with_what_serves(shop: Shop):
    shop.write_flow("one")
    asked = shop.json("release", ".", "--env", "prod", "--no-wait", code=4)
    assert [step["name"] for step in asked["steps"]][-4:] == ["approval", "build", "deploy", "test"]
    assert shop.status("prod")["deployments"] == []
    (pending,) = shop.json("approval", "list")
    shop.json("approval", "approve", pending["id"], "--reason", "seen")
    done = shop.json("release", ".", "--env", "prod")
    assert (done["key"], done["state"]) == (asked["key"], "done")
    assert shop.alias("prod") == 1
    assert ask(shop.status("prod")["address"]) == "one tea"
    shop.write_flow("four")  # which the golden cases of dev do not know
    refused = shop.json("release", ".", "--env", "dev", code=1)
    said = {step["name"]: step["said"] for step in refused["steps"]}
    assert "approval: not_required" in said["approval"]
    assert "golden: echo" in said["test"]
    assert "nothing serves, as before" in said["test"]
    assert shop.status()["deployments"] == []
    assert shop("release", ".", "--env", "stage", "--deploy").returncode == 2


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads the processes of Linux")
def test_processes_end_when_their_home_is_thrown_away(shop: Shop):
    shop.register("one")
    shop.deploy()
    place = str(shop.home)

    def running() -> list[str]:
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_text().split("\0")
            except OSError:
                continue
            found += [" ".join(words)] if any(place in word for word in words) else []
        return found

    assert len(running()) == 3, "the switch, the supervisor and the server"
    shutil.rmtree(shop.home)
    wait_until(lambda: not running(), "nothing runs any more")
