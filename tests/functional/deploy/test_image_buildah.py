"""The same image by buildah, which takes minutes where layers are copied: FLOWYARD_TEST_BUILDAH=1 runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from container_engine import BASE_IMAGE, EngineOfTests, base_image
from image_helper import Yard, make_index, make_shop
from image_registry import image_registry
from package_index import PASSWORD, package_index

pytestmark = pytest.mark.container


def buildah(variables: dict[str, str], *words: str) -> str:
    env = {**os.environ, **variables}
    done = subprocess.run(["buildah", *words], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def storage(folder: Path) -> dict[str, str]:
    """Storage of its own, which needs nothing of the kernel."""
    settings = f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    (folder / "storage.conf").write_text(settings)
    return {"CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}


@pytest.mark.skipif(not os.environ.get("FLOWYARD_TEST_BUILDAH"), reason="takes minutes; set FLOWYARD_TEST_BUILDAH")
def test_the_same_image_comes_out_when_it_is_built_again(tmp_path: Path):
    if not shutil.which("buildah") or os.getuid() != 0:
        pytest.skip("needs root and buildah")
    index, context = make_index(tmp_path / "index"), tmp_path / "base"
    context.mkdir()
    variables = storage(tmp_path)
    shutil.copy(base_image(), context / "root.tar")
    (context / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
    buildah(variables, "build", "--timestamp", "0", "--tag", f"docker.io/library/{BASE_IMAGE}", str(context))
    with package_index(index) as pip, image_registry() as registry:
        yard = Yard(make_shop(tmp_path), EngineOfTests({}), {**variables, **pip})
        words = ("image", "build", ".", "--builder", "buildah")
        image = yard.json(*words)
        assert json.loads(Path(image["sbom"]).read_text())["components"]
        buildah(variables, "rmi", image["local_reference"])
        again = yard.json(*words)
        assert again["digest"] == image["digest"]
        pushed = yard.json(*words, "--push", "--repository", f"{registry.host}/team/shop")
        _, manifest = registry.manifests["team/shop", pushed["reference"].partition("@")[2]]
        assert json.loads(manifest)["layers"]
    told = buildah(variables, "inspect", "--type", "image", image["local_reference"])
    assert PASSWORD not in told
    assert '"User": "10001:10001"' in told
