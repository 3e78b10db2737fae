"""The contract over containers of a real engine, with images that have this flowyard in them."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "functional" / "helpers"))

from container_engine import BASE_IMAGE, EngineOfTests, running_engine
from target_contract import Clients, TargetContract

import flowyard
from flowyard.abc import Target
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.targets import open_target
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

_RUNTIME = f"""\
FROM {BASE_IMAGE}
COPY packages /packages
ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1
"""
_KILLER = """\
#!/bin/sh
# The engine's program, which kills its caller before or after one call.
if [ "$1" = {verb} ] && [ {when} = before ]; then kill -9 $PPID; exit 1; fi
{docker} "$@"
code=$?
if [ "$1" = {verb} ]; then kill -9 $PPID; fi
exit $code
"""
_FLOW = """\
FROM runtime
COPY . /service/flow
WORKDIR /service
CMD ["python3", "-m", "flowyard", "flow", "serve", "--source", "flow", "--host", "0.0.0.0", "--port", "8080"]
"""


def needed(name: str, found: set[str]) -> None:
    """The distributions that one needs, without extras."""
    if name in found:
        return
    found.add(name)
    for line in importlib.metadata.requires(name) or ():
        if "extra ==" not in line and "win32" not in line and "python_version <" not in line:
            with_name = re.match(r"[A-Za-z0-9._-]+", line)
            assert with_name
            try:
                importlib.metadata.distribution(with_name[0])
            except importlib.metadata.PackageNotFoundError:
                continue
            needed(with_name[0], found)


def copy_packages(target: Path) -> None:
    """This flowyard, and what it needs as it is installed here."""
    names: set[str] = set()
    needed("flowyard", names)
    for name in sorted(names - {"flowyard"}):
        for file in importlib.metadata.files(name) or ():
            place = Path(str(file.locate()))
            if file.parts[0] != ".." and place.is_file() and place.suffix != ".pyc":
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place, target / file)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(flowyard.__file__).parent, target / "flowyard", ignore=ignored)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineOfTests]:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("what is installed here does not run in the base image, which has Python 3.11")
    with running_engine() as made:
        context = tmp_path_factory.mktemp("context")
        copy_packages(context / "packages")
        (context / "Dockerfile").write_text(_RUNTIME)
        build(made, context, "runtime")
        yield made


def build(engine: EngineOfTests, context: Path, tag: str) -> None:
    engine.variables["DOCKER_BUILDKIT"] = "0"
    engine.docker("build", "--network", "host", "--tag", tag, str(context))


def deploy(target: Target, wanted: WantedDeployment) -> None:
    """Give all requests to a deployment, and take the first one away."""
    target.apply(wanted)
    target.set_shares("shop-dev", {wanted.name: 100})
    target.remove("shop-dev", "v1")


def ended_in_a_fork(work: Callable[[], None]) -> int:
    """What a process ended with that did the work; below zero the signal that killed it."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TestDocker(TargetContract):
    @pytest.fixture
    def target(self, tmp_path: Path, engine: EngineOfTests) -> Iterator[Target]:
        self.engine = engine
        made = open_target("docker", tmp_path / "home", {**os.environ, **engine.variables}, {"network": "host"})
        yield made
        made.remove("shop-dev")

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        made = super().wanted(tmp_path, name, word, **changes)
        return replace(made, image=self.image(made))

    def rebuilt(self, wanted: WantedDeployment) -> WantedDeployment:
        return replace(wanted, image=self.image(wanted))

    def image(self, wanted: WantedDeployment) -> Image:
        assert wanted.folder
        (wanted.folder / "Dockerfile").write_text(f"{_FLOW}LABEL flowyard.digest={wanted.digest}\n")
        build(self.engine, wanted.folder, f"shop-{wanted.name}")
        digest = self.engine.docker("image", "inspect", "--format", "{{.Id}}", f"shop-{wanted.name}").strip()
        return Image(digest, digest, wanted.version_label)

    def test_no_container_is_left_and_no_secret_is_in_argv(self, target: Target, tmp_path: Path):
        wanted = self.wanted(tmp_path, "v1", "one")
        target.apply(replace(wanted, variables={"GREETING": "hi", "TOKEN": "secret-of-the-flow"}))
        processes = [(Path(path) / "cmdline") for path in Path("/proc").glob("[0-9]*")]
        shown = b"".join(path.read_bytes() for path in processes if path.exists())
        assert b"secret-of-the-flow" not in shown
        kept = [path.read_text("utf-8", "replace") for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert not any("secret-of-the-flow" in text for text in kept)
        target.remove("shop-dev")
        assert self.engine.docker("ps", "--all", "--quiet", "--filter", "label=flowyard.endpoint=shop-dev") == ""

    @pytest.mark.parametrize("killed", [("create", "after"), ("start", "after"), ("stop", "after"), ("rm", "before")])
    def test_a_deployer_that_is_killed(self, target: Target, tmp_path: Path, killed: tuple[str, str]):
        """Killed before or after a call of the engine; what served serves on, and the same again comes to its end."""
        one, two = self.wanted(tmp_path, "v1", "one"), self.wanted(tmp_path, "v2", "two")
        target.apply(one)
        target.set_shares("shop-dev", {"v1": 100})
        killer = tmp_path / "bin" / "docker"
        killer.parent.mkdir()
        killer.write_text(_KILLER.format(docker=shutil.which("docker"), verb=killed[0], when=killed[1]))
        killer.chmod(0o755)
        path = f"{killer.parent}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, **self.engine.variables, "PATH": path}
        frail = open_target("docker", tmp_path / "home", environ, {"network": "host"})
        with target.reach("shop-dev") as address, Clients(address) as clients:
            assert ended_in_a_fork(lambda: deploy(frail, two)) == -signal.SIGKILL
            assert sum(target.status("shop-dev").shares.values()) == 100
            deploy(target, two)
        assert clients.failures == []
        assert [each.name for each in target.status("shop-dev").deployments] == ["v2"]
        filters = ("--filter", "label=flowyard.endpoint=shop-dev")
        names = self.engine.docker("ps", "--all", "--format", "{{.Names}}", *filters).split()
        assert [name.rpartition("-")[0] for name in names] == ["flowyard-shop-dev-v2"]

    def test_an_image_that_is_not_there(self, target: Target, tmp_path: Path):
        wanted = replace(self.wanted(tmp_path, "v1", "one"), image=Image("nothing:1", "sha256:0", "shop:1"))
        with pytest.raises(NotFound, match="nothing"):
            target.apply(wanted)
        with pytest.raises(UserError, match="no option 'net'"):
            open_target("docker", tmp_path, {}, {"net": "host"})
        far = open_target("docker", tmp_path / "far", {**os.environ, "DOCKER_HOST": "unix:///nowhere"}, {})
        with pytest.raises(OutsideError):
            far.apply(wanted)
        assert far.status("shop-dev").deployments == ()
        far.remove("shop-dev")  # nothing was made there, so that nothing has to be asked

    def test_the_image_of_another_version_is_refused(self, target: Target, tmp_path: Path):
        one, two = self.wanted(tmp_path, "v1", "one"), self.wanted(tmp_path, "v2", "two")
        assert two.image is not None
        wrong = replace(one, image=two.image)
        bare = replace(one, image=Image("runtime", self.id_of("runtime"), "shop:1"))
        moved = replace(one, image=Image("shop-v1", two.image.digest, "shop:1"))
        for each, said in ((wrong, "holds the flow version"), (bare, "no flow version"), (moved, "tagged anew")):
            with pytest.raises(UserError, match=said):
                target.look_into_image(each)
            with pytest.raises(UserError, match=said):
                target.apply(each)
        assert self.engine.docker("ps", "--all", "--quiet", "--filter", "label=flowyard.endpoint=shop-dev") == ""
        assert target.look_into_image(one)

    def test_two_homes_share_an_engine_and_nothing_else(self, target: Target, tmp_path: Path):
        wanted = self.wanted(tmp_path, "v1", "one")
        target.apply(wanted)
        target.set_shares("shop-dev", {"v1": 100})
        variables = {**os.environ, **self.engine.variables}
        other = open_target("docker", tmp_path / "other", variables, {"network": "host"})
        try:
            assert other.apply(wanted).address != target.status("shop-dev").deployments[0].address
        finally:
            other.remove("shop-dev")
        assert [each.state for each in target.status("shop-dev").deployments] == ["ready"]

    def id_of(self, name: str) -> str:
        return self.engine.docker("image", "inspect", "--format", "{{.Id}}", name).strip()

    def test_the_compose_file_is_complete(self, target: Target, tmp_path: Path):
        wanted = self.wanted(tmp_path, "v1", "one", cpu=0.5, memory_mb=300, port=8090)
        compose, example = target.export(wanted, tmp_path / "export")
        text = compose.read_text()
        assert wanted.image is not None
        for said in (wanted.image.reference, "127.0.0.1:8090:8080", "read_only: true", "300M", "settings.env"):
            assert said in text
        assert example.read_text() == "FLOWYARD_SERVE_KEY=\nGREETING=\n"
        with pytest.raises(Conflict):
            target.export(wanted, tmp_path / "export")
