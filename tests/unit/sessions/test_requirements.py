from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.sessions.environments.requirements import Requirements, read_requirements, stood_in_for

LINES = ("click>=8", "rich[jupyter]==13.7 ; python_version > '3'", "nltk~=3.9,!=3.9.1", "a_b.c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str | bytes, name: str = "requirements.txt") -> Requirements:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_requirements(folder / "requirements.txt")


def packages(found: Requirements) -> list[str]:
    return [entry.render().replace(" @ ", "@ ") for entry in found.packages]


def test_lines_are_read_as_pip_reads_them(folder: Path):
    found = read(
        folder,
        "# all of it\n\nclick >= 8  # the command line\nA_b.C\n"
        "rich \\\n  ==13.7 \\\n  --hash=sha256:12 --hash=sha256:34\n"
        "wheel @ https://example.org/wheel-1-py3-none-any.whl#sha256=9\ngit+https://example.org/x.git@v1#egg=x\n"
        "--pre\n-i https://example.org/simple\n",
    )
    assert packages(found) == [
        "click>=8",
        "a-b-c",
        "rich==13.7 --hash=sha256:12 --hash=sha256:34",
        "wheel@ https://example.org/wheel-1-py3-none-any.whl#sha256=9",
        "git+https://example.org/x.git@v1#egg=x",
    ]
    assert [entry.render() for entry in found.options] == ["--pre", "-i https://example.org/simple"]
    assert [entry.where.rpartition(":")[2] for entry in found.packages] == ["3", "4", "5", "8", "9"]


def test_included_files_count_and_a_circle_ends(folder: Path):
    (folder / "more").mkdir()
    (folder / "more" / "test.txt").write_text("-r ../requirements.txt\nnltk\n-c limits.txt\n")
    (folder / "more" / "limits.txt").write_text("click<9\n-r further.txt\n")
    (folder / "more" / "further.txt").write_text("rich<14\n")
    found = read(folder, "-r more/test.txt\n--requirement=more/test.txt\nclick\n")
    assert packages(found) == ["nltk", "nltk", "click"]
    assert {entry.render() for entry in found.constraints} == {"click<9", "rich<14"}


def test_files_of_windows_are_read(folder: Path):
    assert packages(read(folder, "click>=8\r\n".encode("utf-16"))) == ["click>=8"]
    assert packages(read(folder, b"\xef\xbb\xbfclick>=8\r\n")) == ["click>=8"]
    with pytest.raises(UserError, match="not UTF-8"):
        read(folder, b"click \xff\xfe\xfa")


def test_what_is_in_the_folder_is_found_from_anywhere(folder: Path):
    (folder / "a lib").mkdir()
    (folder / "a lib" / "code.py").write_text("1")
    found = read(folder, "-e './a lib[x]'\n./a lib\n-f 'a lib'\n--find-links=https://example.org\n")
    url = (folder / "a lib").as_uri()
    assert "%20" in url
    assert packages(found) == [f"{url}[x]", url]
    assert [entry.render() for entry in found.options] == [f"--find-links {url}", "--find-links https://example.org"]


def test_the_content_of_what_is_installed_counts(folder: Path):
    (folder / "lib").mkdir()
    (folder / "lib" / "code.py").write_text("1")
    before = read(folder, "./lib").fingerprint()
    (folder / "lib" / ".git").mkdir()
    (folder / "lib" / ".git" / "HEAD").write_text("x")
    assert read(folder, "./lib").fingerprint() == before
    (folder / "lib" / "code.py").write_text("2")
    assert read(folder, "./lib").fingerprint() != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("click >>> 8", "not a requirement"),
        ("click\nthis is prose", "'this is prose' is not a requirement"),
        ("-r nowhere.txt", "nowhere.txt does not exist"),
        ("--find-links 'open", "cannot be read"),
    ],
)
def test_what_pip_would_refuse_is_refused(folder: Path, text: str, message: str):
    with pytest.raises(UserError, match=message):
        read(folder, text)


def test_passwords_are_noticed_and_not_shown(folder: Path):
    secret = "x @ https://me:word@example.org/x.whl"
    found = read(folder, secret)
    assert found.with_password() is found.packages[0]
    assert [text.replace("x@", "x @") for text in found.shown()] == ["x @ https://***@example.org/x.whl"]
    assert read(folder, "--index-url https://me:word@example.org/").with_password()
    assert not read(folder, "--index-url https://${NAME}:${WORD}@example.org/").with_password()
    assert not read(folder, "git+ssh://git@example.org/x.git").with_password()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("promptflow", True),
        ("PromptFlow-Tools", True),
        ("promptflow_vectordb", False),
        ("flowyard", True),
        ("x", False),
    ],
)
def test_what_flowyard_stands_in_for(name: str, answer: bool):
    assert stood_in_for(name) is answer


@given(
    st.permutations(LINES), st.lists(st.sampled_from(["", "  ", "# note", "\t# x"])), st.sampled_from(["", "  # why"])
)
def test_only_what_is_required_counts(tmp_path_factory, lines: list[str], between: list[str], after: str):
    folder = tmp_path_factory.mktemp("requirements")
    plain = read(folder, "\n".join(LINES)).fingerprint()
    dressed = [part for line in lines for part in (*between, f" {line}{after}")]
    assert read(folder, "\n".join(dressed)).fingerprint() == plain
    assert read(folder, "\n".join(lines[1:])).fingerprint() != plain
