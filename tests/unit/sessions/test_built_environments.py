from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.errors import OutsideError, UserError
from flowyard.sessions.environments.build_log import BuildLog
from flowyard.sessions.environments.built import BuildNote, BuiltEnvironments, key_of


def use(environments: BuiltEnvironments, build, usable=lambda built: True):
    return environments.use("key", build, say=lambda text: None, usable=usable)


def write_one(folder: Path, log: BuildLog) -> BuildNote:
    assert [each.name for each in folder.iterdir()] == ["build.log"]
    (folder / "one").touch()
    return BuildNote("venv", "flow", "pip", ("a", "b"))


def must_not_build(folder: Path, log: BuildLog) -> BuildNote:
    raise AssertionError("built again")


def test_it_is_private_and_kept(tmp_path: Path):
    environments = BuiltEnvironments(tmp_path)
    built, hold = use(environments, write_one)
    assert (built.note.requirements, (built.folder / "one").exists()) == (("a", "b"), True)
    assert built.folder.stat().st_mode & 0o777 == 0o700
    again, second = use(environments, must_not_build)
    assert again.folder == built.folder
    assert not environments.delete("key")
    hold.release()
    assert not environments.delete("key")
    second.release()
    second.release()
    assert environments.delete("key")
    assert list(environments.all()) == []


def test_a_failed_build_is_done_again(tmp_path: Path):
    environments = BuiltEnvironments(tmp_path)

    def fail(folder: Path, log: BuildLog) -> BuildNote:
        (folder / "half").touch()
        raise UserError("no")

    with pytest.raises(UserError):
        use(environments, fail)
    assert environments.find("key") is None
    assert environments.unfinished() == ["key"]
    built, hold = use(environments, write_one)
    hold.release()
    assert (built.folder / "one").exists()
    assert environments.unfinished() == []


def test_what_cannot_be_used_any_more_is_built_again(tmp_path: Path):
    environments = BuiltEnvironments(tmp_path)
    built, hold = use(environments, write_one)
    hold.release()
    (built.folder / "one").unlink()
    again, hold = use(environments, write_one, usable=lambda each: (each.folder / "one").exists())
    hold.release()
    assert (again.folder / "one").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "venv"}'])
def test_a_damaged_note_means_that_it_is_not_ready(tmp_path: Path, text: str):
    environments = BuiltEnvironments(tmp_path)
    _, hold = use(environments, write_one)
    hold.release()
    (environments.root / "key" / "ready.json").write_text(text)
    assert environments.find("key") is None


def test_what_cannot_be_removed_elsewhere_keeps_it(tmp_path: Path):
    environments = BuiltEnvironments(tmp_path)
    _, hold = use(environments, write_one)
    hold.release()

    def refuse(built) -> None:
        raise OutsideError("no")

    with pytest.raises(OutsideError):
        environments.delete("key", refuse)
    assert environments.find("key")


@pytest.mark.parametrize(
    ("said", "kind"),
    [("ERROR: No matching distribution found for x", UserError), ("dns error: no such host", OutsideError)],
)
def test_a_failed_program_is_an_error_with_what_it_said(tmp_path: Path, said: str, kind: type[Exception]):
    told: list[str] = []
    script = f"echo 'Downloading x-1.whl (3 MB)'; echo 'see https://me:word@example.org'; echo '{said}' >&2; exit 3"
    with BuildLog(tmp_path / "build.log", told.append) as log, pytest.raises(kind, match=said) as caught:
        log.run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, where="requirements.txt", doing="Installing")
    assert told == ["  Downloading x-1.whl (3 MB)"]
    assert str(tmp_path / "build.log") in str(caught.value.hint)  # type: ignore[attr-defined]
    text = (tmp_path / "build.log").read_text()
    assert said in text
    assert "word" not in text


def test_a_key_depends_on_every_part_and_not_on_their_order():
    assert key_of({"a": "1", "b": "2"}) == key_of({"b": "2", "a": "1"})
    assert len({key_of({"a": "1", "b": "2"}), key_of({"a": "1", "b": "3"}), key_of({"a": "12", "b": ""})}) == 3
