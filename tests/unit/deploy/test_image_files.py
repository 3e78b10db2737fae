"""What is written for an image: its Dockerfile, its pins, the list of its parts, and its archive without times."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from functional_helper import locked_program
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from flowyard.deploy.image.archive import read_file_of_image, write_without_times
from flowyard.deploy.image.content import FlowContent
from flowyard.deploy.image.dockerfile import EPOCH, Recipe, dockerfile
from flowyard.deploy.image.inside.health import port_of
from flowyard.deploy.image.inside.sbom import describe
from flowyard.deploy.image.names import require_image_name, require_repository
from flowyard.deploy.image.own_wheel import own_digest, serving_requirements, write_own_wheel
from flowyard.deploy.image.pins import PinsFor, pin_requirements, python_of_image
from flowyard.deploy.image.system_packages import SystemPackages, system_packages
from flowyard.errors import OutsideError, UserError
from flowyard.flows.load import load_flow
from flowyard.sessions.environments.requirements import Requirements, read_requirements

FLOW = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
"""
PLAIN = Recipe("python:3.11-slim", "shop", "1", "flow.dag.yaml")
FULL = Recipe(
    "registry.example/base:2",
    "shop",
    "1",
    "flow.dag.yaml",
    packages=SystemPackages(("libpq5", "ffmpeg=7:5.1"), ("gcc",)),
    has_hashes=True,
    has_connections=True,
    labels={"flowyard.version": "shop:1", "org.opencontainers.image.title": 'a "b" \\ c'},
)


@pytest.mark.parametrize("recipe", [PLAIN, FULL])
def test_a_linter_finds_nothing_in_the_dockerfile(recipe: Recipe, tmp_path: Path):
    file = tmp_path / "Dockerfile"
    file.write_text(dockerfile(recipe))
    done = subprocess.run(
        [locked_program("hadolint"), "--no-color", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_has_no_tools_and_an_ordinary_user():
    stages = dockerfile(FULL).split("\nFROM ")
    assert stages[0] == "ARG BASE_IMAGE=registry.example/base:2\n"
    assert "apt-build.txt" in stages[2]
    assert "--require-hashes" in stages[2]
    assert not {"RUN", "gcc", "pip", "ARG"} & set(stages[-1].split())
    assert stages[-1].index("USER 10001:10001") > stages[-1].index("COPY")
    assert "latest" not in dockerfile(FULL)


@given(st.lists(st.text(min_size=1), max_size=5), st.integers(1, 65535))
def test_the_health_check_asks_the_port_of_the_command(words: list[str], port: int):
    before = [word for word in words if word != "--port"]
    assert port_of([*before, "--port", str(port), "x"]) == port
    assert port_of(before) == 8080


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("python:3.11-slim", "3.11"),
        ("docker.io/library/python:3.12", "3.12"),
        ("registry.example/mypython:3.9", None),
        ("debian:12", None),
    ],
)
def test_the_python_of_an_image(image: str, python: str | None):
    assert python_of_image(image) == python


def test_the_own_wheel_is_the_same_twice_and_asks_for_what_serving_needs(tmp_path: Path):
    wheels = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        wheels.append(write_own_wheel(tmp_path / name))
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    assert own_digest() == own_digest()
    with zipfile.ZipFile(wheels[0]) as archive:
        names = archive.namelist()
        about = archive.read(next(each for each in names if each.endswith("METADATA"))).decode()
    assert "flowyard/serving/__init__.py" in names
    assert not [each for each in names if "__pycache__" in each]
    assert "aiohttp" in about
    assert "numpy" not in about


def test_serving_imports_nothing_that_an_image_lacks():
    code = (
        "import sys, flowyard.cli.flow.serve, flowyard.serving, flowyard.llm, flowyard.engine.nodes, flowyard.tools\n"
    )
    code += "print({'cryptography', 'fsspec', 'jsonschema', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def pins(tmp_path: Path, text: str, **environ: str) -> tuple[str, tuple[str, ...], bool]:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "requirements.in").write_text(text)
    wheel = write_own_wheel(tmp_path / "wheels")
    requirements = read_requirements(tmp_path / "requirements.in") if text else Requirements()
    found = pin_requirements(PinsFor(requirements, wheel, None, {"PIP_CONFIG_FILE": "/dev/null", **environ}))
    return found.text, found.warnings, found.has_hashes


def test_without_an_index_what_is_installed_here_is_pinned(tmp_path: Path):
    text, warnings, has_hashes = pins(tmp_path, "click>=8\nnowhere-to-be-found>1\n", PIP_NO_INDEX="1")
    lines = text.splitlines()
    assert f"click=={metadata.version('click')}" in lines
    assert f"yarl=={metadata.version('yarl')}" in lines
    assert "nowhere-to-be-found>1" in lines
    assert not has_hashes
    assert "pip did not resolve" in warnings[0]
    assert "nowhere-to-be-found>1 is not installed here" in warnings[1]
    names = {Requirement(line).name for line in lines if "==" in line}
    assert {each.name.lower().replace(".", "-") for each in serving_requirements()} <= names


def test_a_password_in_an_address_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="password") as caught:
        pins(tmp_path, "--extra-index-url https://me:secret@pypi.example/simple\n")
    assert caught.value.where == f"{tmp_path / 'requirements.in'}:1"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "apt", "found"),
    [
        ("", "", SystemPackages()),
        (
            "",
            "libpq5  # for the database\n\nffmpeg=7:5.1.6-0+deb12u1\n",
            SystemPackages(("libpq5", "ffmpeg=7:5.1.6-0+deb12u1")),
        ),
        (
            "environment: {os_packages: [libgomp1], build_packages: [gcc]}\n",
            "x\n",
            SystemPackages(("libgomp1",), ("gcc",)),
        ),
    ],
)
def test_packages_of_the_system(environment: str, apt: str, found: SystemPackages, tmp_path: Path):
    (tmp_path / "flow.dag.yaml").write_text(environment + FLOW)
    (tmp_path / "work.py").write_text("")
    (tmp_path / "apt.txt").write_text(apt)
    assert system_packages(load_flow(tmp_path)) == found


@pytest.mark.parametrize(
    ("environment", "apt", "said"),
    [
        ("environment: {os_packages: libpq5}\n", "", "is a list"),
        ("environment: {os_packages: ['a; rm -rf /']}\n", "", "no name of a Debian package"),
        ("", "libpq5\n-o Dpkg::Pre-Invoke=x\n", "no name of a Debian package"),
    ],
)
def test_what_is_no_package_is_refused_with_its_place(environment: str, apt: str, said: str, tmp_path: Path):
    (tmp_path / "flow.dag.yaml").write_text(environment + FLOW)
    (tmp_path / "work.py").write_text("")
    (tmp_path / "apt.txt").write_text(apt)
    with pytest.raises(UserError, match=said) as caught:
        system_packages(load_flow(tmp_path))
    assert caught.value.where == (f"{tmp_path / 'apt.txt'}:2" if apt else str(tmp_path / "flow.dag.yaml"))


@pytest.mark.parametrize("name", ["shop", "registry.example/team/shop", "127.0.0.1:5000/a/b-c_d.e", "Host.example/x"])
def test_names_of_repositories(name: str):
    assert require_repository(name) == name
    assert require_image_name(f"{name}:1.2-x@sha256:{'0' * 64}")


@pytest.mark.parametrize("name", ["", "https://a.example/x", "me:secret@b/x", "a.example/X", "-x", "x --push", "a/x:1"])
def test_what_is_no_repository_is_not_repeated(name: str):
    with pytest.raises(UserError, match="no name of a repository"):
        require_repository(name)


@pytest.mark.parametrize("name", ["", "me:secret@a.example/x", "--privileged", "a b", "x@sha256:1"])
def test_what_is_no_image_is_not_repeated(name: str):
    with pytest.raises(UserError, match="no name of an image"):
        require_image_name(name)


@given(st.text(max_size=40))
def test_a_title_is_always_a_name_of_an_image(name: str):
    content = FlowContent(None, (), "flow.dag.yaml", "0" * 64, f"{name.replace(':', '')}:1")  # type: ignore[arg-type]
    assert content.title
    assert set(content.title) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u9
Description: a library
 Package: not this

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_the_list_of_parts_names_what_is_installed(tmp_path: Path):
    (tmp_path / "status").write_text(STATUS)
    info = tmp_path / "site" / "Some_Lib-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Some_Lib\nVersion: 1.2\nLicense: MIT\n\n")
    found = describe(str(tmp_path / "site"), str(tmp_path / "status"), "shop", "1")
    assert [each["purl"] for each in found["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64",
        "pkg:pypi/some-lib@1.2",
    ]
    assert found["components"][1]["licenses"] == [{"license": {"name": "MIT"}}]
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    assert describe(str(tmp_path / "site"), "/nowhere", "shop", "1")["components"][0]["name"] == "some-lib"


def layer(files: dict[str, str], time: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(text.encode()), time
            archive.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


def saved(place: Path, time: int, text: str = "one") -> Path:
    """An image as ``docker save`` writes it, with one layer of a base image and one of its own."""
    base, own = layer({"etc/base": "base"}, 7), layer({"service/sbom.json": text}, time)
    config = {
        "created": f"{time}",
        "container": f"c{time}",
        "config": {"User": "10001", "Hostname": f"{time}"},
        "history": [
            {"created": "base"},
            {"created": f"{time}", "created_by": f"COPY dir:{time:064x} in /service"},
            {"created": f"{time}", "created_by": "USER", "empty_layer": True},
        ],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:base", f"sha256:{time}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["shop:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    parts = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    place.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place, "w") as archive:
        for name, data in {**parts, "a/layer.tar": base, "b/layer.tar": own}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return place


def test_times_say_nothing_of_an_image(tmp_path: Path):
    digests = []
    for name, time, text in (("a", 1, "one"), ("b", 2, "one"), ("c", 1, "two")):
        archive = saved(tmp_path / name / "saved.tar", time, text)
        digests.append(write_without_times(archive, tmp_path / name / "plain.tar", 1, EPOCH, "1980"))
    assert digests[0] == digests[1] != digests[2]
    assert (tmp_path / "a" / "plain.tar").read_bytes() == (tmp_path / "b" / "plain.tar").read_bytes()
    assert read_file_of_image(tmp_path / "a" / "plain.tar", "/service/sbom.json") == b"one"
    assert read_file_of_image(tmp_path / "a" / "plain.tar", "/nothing") is None
    with tarfile.open(tmp_path / "a" / "plain.tar") as archive:
        config = json.load(archive.extractfile(f"{digests[0].removeprefix('sha256:')}.json") or io.BytesIO())
        assert archive.extractfile("layer-0.tar").read() == layer({"etc/base": "base"}, 7)  # type: ignore[union-attr]
    assert config["rootfs"]["diff_ids"][0] == "sha256:base"
    assert [entry["created"] for entry in config["history"]] == ["base", "1980", "1980"]


def test_an_archive_that_is_none_is_an_error(tmp_path: Path):
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(OutsideError, match="cannot be read"):
        write_without_times(tmp_path / "empty.tar", tmp_path / "plain.tar", 0, EPOCH, "1980")
