"""``additional_includes`` and ``code``: where a flow's code runs."""

from __future__ import annotations

import gc
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import FlowInvalid
from flowyard.flows.includes import FlowFolder, MergedFolder, resolve_folder

Resolve = Callable[..., FlowFolder]


FORM = """additional_includes:   # why
  # of one
  - ../shared

  - >-
    ../shared/words.txt
# after"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "flow" / "own.txt", "own")
    write(tmp_path / "shared" / "words.txt", "words")
    write(tmp_path / "shared" / "deep" / "er.txt", "deeper")
    return tmp_path


@pytest.fixture
def resolve(project: Path) -> Resolve:
    def resolve(*includes: object, code: str | None = None, entry: bool = True) -> FlowFolder:
        lines = ["inputs: {}", *([f"code: {code}"] if code else []), *(["entry: a:b"] if code and entry else [])]
        if includes:
            lines += ["additional_includes:", *(f"- {include}" for include in includes)]
        return resolve_folder(read_yaml(write(project / "flow" / "flow.dag.yaml", "\n".join(lines) + "\n")))

    return resolve


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "flow.dag.yaml"
    }


def test_without_includes_the_folder_itself_is_used(project: Path, resolve: Resolve) -> None:
    assert resolve() == FlowFolder(project / "flow")


def test_files_and_folders_come_by_their_names(project: Path, resolve: Resolve) -> None:
    write(project / "single.txt", "single")
    found = resolve("../shared", "../single.txt", project / "shared" / "deep")
    assert files(found.folder) == {
        **{"own.txt": "own", "shared/words.txt": "words", "shared/deep/er.txt": "deeper"},
        **{"single.txt": "single", "deep/er.txt": "deeper"},
    }
    assert found.folder.name == "flow"
    assert found.warnings == ()
    assert found.keep is not None
    assert found.keep.written() == []


def test_a_folder_joins_the_flows_own_of_that_name(project: Path, resolve: Resolve) -> None:
    write(project / "flow" / "shared" / "mine.txt", "mine")
    write(project / "flow" / "shared" / "words.txt", "mine")
    found = resolve("../shared")
    assert files(found.folder)["shared/mine.txt"] == "mine"
    assert files(found.folder)["shared/words.txt"] == "words"
    assert found.warnings == ("flow.dag.yaml:3: '../shared' replaces the flow's own shared/words.txt.",)


def test_a_folder_as_a_zip(project: Path, resolve: Resolve) -> None:
    found = resolve("../shared.zip")
    with zipfile.ZipFile(found.folder / "shared.zip") as archive:
        assert archive.read("shared/deep/er.txt") == b"deeper"
        assert sorted(archive.namelist()) == ["shared/", "shared/deep/er.txt", "shared/words.txt"]
    assert not (found.folder / "shared").exists()


def test_a_zip_that_exists_is_a_file_like_others(project: Path, resolve: Resolve) -> None:
    write(project / "shared.zip", "really a file")
    found = resolve("../shared.zip")
    assert files(found.folder)["shared.zip"] == "really a file"


def test_every_missing_include_is_named_with_its_line(project: Path, resolve: Resolve) -> None:
    before = temporary_folders()
    with pytest.raises(FlowInvalid) as caught:
        resolve("../shared", "../sharde", "../nothing.zip")
    assert [problem.where for problem in caught.value.problems] == ["flow.dag.yaml:4", "flow.dag.yaml:5"]
    assert caught.value.problems[0].hint == "Did you mean 'shared'?"
    assert temporary_folders() == before


@pytest.mark.parametrize("value", ["text", "{a: b}", "[1]"])
def test_includes_are_a_list_of_paths(project: Path, value: str) -> None:
    file = write(project / "flow" / "flow.dag.yaml", f"additional_includes: {value}\n")
    with pytest.raises(FlowInvalid, match=r"list of paths"):
        resolve_folder(read_yaml(file))


def test_what_tools_leave_is_not_copied(project: Path, resolve: Resolve) -> None:
    for name in (".git", "__pycache__", ".promptflow", ".venv", ".flowyard"):
        write(project / "flow" / name / "x", "x")
        write(project / "shared" / "deep" / name / "x", "x")
    write(project / "flow" / ".env", "A=1")
    (project / "flow" / "empty").mkdir()
    found = resolve("../shared")
    assert set(files(found.folder)) == {"own.txt", ".env", "shared/words.txt", "shared/deep/er.txt"}
    assert (found.folder / "empty").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_stay_links(project: Path, resolve: Resolve) -> None:
    flow = project / "flow"
    secret = write(project / "outside" / "secret.txt", "secret")
    (flow / "inside.txt").symlink_to("own.txt")
    (flow / "outside").symlink_to(secret.parent, target_is_directory=True)
    (flow / "around").symlink_to(flow, target_is_directory=True)
    (flow / "nowhere").symlink_to("gone")
    found = resolve("../shared")
    assert found.folder.joinpath("inside.txt").resolve() == found.folder.resolve() / "own.txt"
    assert found.folder.joinpath("around").resolve() == found.folder.resolve()
    assert found.folder.joinpath("outside").is_symlink()
    assert found.folder.joinpath("outside", "secret.txt").read_text() == "secret"
    assert found.folder.joinpath("nowhere").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_nothing_is_written_through_a_link(project: Path, resolve: Resolve) -> None:
    outside = write(project / "outside" / "words.txt", "outside")
    (project / "flow" / "shared").symlink_to(outside.parent, target_is_directory=True)
    with pytest.raises(FlowInvalid, match=r"shared is a link.*(?s:.*)nothing is written through it|flow\.dag\.yaml:3"):
        resolve("../shared")
    (project / "flow" / "shared").unlink()
    (project / "flow" / "words.txt").symlink_to(outside)
    found = resolve("../shared/words.txt")
    assert (found.folder / "words.txt").read_text() == "words"
    assert outside.read_text() == "outside"


@pytest.mark.parametrize(("own", "include"), [("shared", "../shared"), ("words.txt/a", "../shared/words.txt")])
def test_a_file_and_a_folder_of_one_name(project: Path, resolve: Resolve, own: str, include: str) -> None:
    write(project / "flow" / own, "in the way")
    with pytest.raises(FlowInvalid, match=r"flow.dag.yaml:3: additional_includes cannot lay"):
        resolve(include)


def test_the_users_folders_are_not_touched(project: Path, resolve: Resolve) -> None:
    found = resolve("../shared")
    (found.folder / "shared" / "words.txt").write_text("changed")
    (found.folder / "own.txt").write_text("changed")
    assert (project / "shared" / "words.txt").read_text() == "words"
    assert (project / "flow" / "own.txt").read_text() == "own"


def test_what_was_written_is_known(resolve: Resolve) -> None:
    found = resolve("../shared")
    write(found.folder / "cache" / "new.txt", "new")
    write(found.folder / "__pycache__" / "own.pyc", "")
    assert found.keep is not None
    assert found.keep.written() == ["cache/new.txt"]


def test_the_copy_goes_with_the_flow(resolve: Resolve) -> None:
    found = resolve("../shared")
    folder = found.folder
    assert folder.is_dir()
    del found
    gc.collect()
    assert not folder.parent.exists()


def test_closing_twice(resolve: Resolve) -> None:
    found = resolve("../shared")
    assert found.keep is not None
    found.keep.close()
    found.keep.close()
    assert not found.folder.exists()


ENDING = """
import os, sys
from pathlib import Path
from flowyard.flows.includes import MergedFolder
merged = MergedFolder("flow")
merged.path.mkdir()
child = os.fork() if hasattr(os, "fork") else 0
if child:
    os.waitpid(child, 0)
    print(merged.path, merged.path.is_dir())
elif hasattr(os, "fork"):
    sys.exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_the_copy_goes_with_its_process_and_not_with_a_fork_of_it() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", ENDING], capture_output=True, text=True, check=True)
    path, was_there = done.stdout.split()
    assert was_there == "True"
    assert not Path(path).parent.exists()
    assert done.stderr == ""


def test_code_relocates_the_folder(project: Path, resolve: Resolve) -> None:
    assert resolve(code="../shared").folder == project / "shared"
    assert resolve(code=str(project / "shared")).folder == project / "shared"
    merged = resolve("own.txt", code="../shared")
    assert files(merged.folder) == {"words.txt": "words", "deep/er.txt": "deeper", "own.txt": "own"}
    with pytest.raises(FlowInvalid, match=r"flow.dag.yaml:2: 'code' names the folder '../gone'"):
        resolve(code="../gone")


@pytest.mark.parametrize("form", ["additional_includes: [../shared]", "additional_includes:\n- ../shared\n", FORM])
def test_the_copied_flow_file_stands_for_itself(project: Path, form: str) -> None:
    text = f"# a comment\ninputs: {{}}\n{form}\noutputs: {{}}\n"
    for whole in (text, f"inputs: {{}}\n{form}"):
        file = read_yaml(write(project / "flow" / "flow.dag.yaml", whole))
        found = resolve_folder(file)
        copy = read_yaml(found.folder / "flow.dag.yaml")
        assert copy.data == {key: value for key, value in file.data.items() if key != "additional_includes"}
        assert copy.line(("outputs",)) == file.line(("outputs",))
        assert resolve_folder(copy) == FlowFolder(found.folder)
        assert (project / "flow" / "flow.dag.yaml").read_text() == whole


def test_code_is_ignored_in_flows_of_nodes(project: Path, resolve: Resolve) -> None:
    said = "flow.dag.yaml:2: 'code' is ignored, because only flex flows have it."
    assert resolve(code="../shared", entry=False) == FlowFolder(project / "flow", None, (said,))
    assert resolve("../shared", code="../gone", entry=False).warnings == (said,)


def test_a_copy_may_lie_inside_what_is_copied(project: Path, resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = project / "flow" / "temporary"
    inside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(inside))
    found = resolve("../shared")
    assert files(found.folder)["shared/words.txt"] == "words"


def temporary_folders() -> set[Path]:
    parent = MergedFolder("probe").path.parent.parent
    return {name for name in parent.iterdir() if name.name.startswith("flowyard-")}
