"""Data is found at paths, patterns and URLs, and is what it was when it is read."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pytest
from pyarrow import parquet

from flowyard.errors import ExtraMissing, OutsideError, UserError
from flowyard.runs.data.download import download
from flowyard.runs.dataset import absolute_source, data_exists, data_source, open_dataset, recorded_source, shown_source

Answer = Callable[[BaseHTTPRequestHandler], None]


def texts(source: str | Path) -> list[Any]:
    return [dict(row.values) for row in open_dataset(source).rows()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hidden = [(".hidden/d.jsonl", 9), (".e.jsonl", 9)]
    for name, value in (("b.jsonl", 2), ("a.jsonl", 1), ("deep/er/c.jsonl", 3), *hidden):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(f'{{"x": {value}}}\n')
    (tmp_path / "data" / "notes.txt").write_text("no data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("*.jsonl", [1, 2]), ("**/*.jsonl", [1, 2, 3]), ("*/*/c.json?", [3]), ("[ab].jsonl", [1, 2]), ("**", [1, 2, 3])],
)
def test_a_pattern_is_all_files_that_match_in_order(folder: Path, pattern: str, found: list[int]) -> None:
    dataset = open_dataset(folder / pattern)
    assert [row.values["x"] for row in dataset.rows()] == found
    assert dataset.count() == len(found)
    assert data_exists(folder / pattern)
    assert any("notes.txt is left out" in warning for warning in dataset.warnings) == (pattern == "**")


def test_pictures_of_a_pattern_are_relative_to_its_plain_part(folder: Path) -> None:
    assert open_dataset(folder / "**" / "*.jsonl").folder == folder
    assert open_dataset(folder).folder == folder
    assert open_dataset(folder / "a.jsonl").folder == folder
    assert open_dataset(folder / "deep" / "er" / "c*.jsonl").files[0][0].name == "c.jsonl"


@pytest.mark.parametrize("source", ["a.jsonl", ".", "*.jsonl"])
def test_data_is_found_again_from_another_working_directory(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    dataset = open_dataset(source)
    monkeypatch.chdir("/")
    assert next(dataset.rows()).values == {"x": 1}
    assert dataset.folder == folder.resolve()


def test_a_name_that_looks_like_a_pattern_is_a_name_first(tmp_path: Path) -> None:
    (tmp_path / "d[1].jsonl").write_text('{"x": 1}\n')
    assert texts(tmp_path / "d[1].jsonl") == [{"x": 1}]


def test_nothing_matches(folder: Path) -> None:
    with pytest.raises(UserError, match="No file matches"):
        open_dataset(folder / "*.csv")
    with pytest.raises(UserError, match="holds no data files"):
        open_dataset(folder / "*.txt")
    assert not data_exists(folder / "*.csv")
    assert not data_exists(folder / "none.jsonl")


def test_file_urls_are_paths(folder: Path) -> None:
    assert texts(f"file://{folder}/a.jsonl") == [{"x": 1}]
    (folder / "with space.jsonl").write_text('{"x": 5}\n')
    assert texts(f"file://{folder}/with%20space.jsonl") == [{"x": 5}]
    assert not open_dataset(f"file://{folder}/a.jsonl").is_remote


def test_what_is_recorded_means_the_same_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert recorded_source(Path("a.jsonl")) == str(folder.resolve() / "a.jsonl")
    assert recorded_source(Path("*.jsonl")) == str(folder / "*.jsonl")
    assert absolute_source("*.jsonl") == folder / "*.jsonl"
    assert data_source("x.jsonl", folder) == folder / "x.jsonl"
    assert absolute_source("s3://bucket/x.jsonl") == recorded_source("s3://bucket/x.jsonl") == "s3://bucket/x.jsonl"


def test_secrets_of_a_url_are_not_kept() -> None:
    url = "https://example.org/d.jsonl?part=1&sig=topsecret&X-Amz-Credential=topsecret#x"
    assert "topsecret" not in recorded_source(url)
    assert "part=1" in recorded_source(url)
    assert shown_source(url) == "https://example.org/d.jsonl"
    with pytest.raises(UserError, match="had a secret in it"):
        open_dataset(recorded_source(url))
    with pytest.raises(UserError, match="has a password in it") as caught:
        open_dataset("ftp://me:topsecret@example.org/d.jsonl")
    assert "topsecret" not in str(caught.value)


def memory(files: dict[str, bytes]) -> str:
    """The URL of a new folder with these files."""
    base = f"memory://{uuid.uuid4().hex}"
    for name, data in files.items():
        with fsspec.open(f"{base}/{name}", "wb") as file:
            file.write(data)
    return base


def test_files_at_a_url(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist([{"x": 4}]), tmp_path / "d.parquet")
    base = memory(
        {
            "a.jsonl": b'{"x": 1}\n',
            "b.csv": b"x\n2\n",
            "deep/c.json": b'[{"x": 3}]',
            "d.parquet": (tmp_path / "d.parquet").read_bytes(),
            ".hidden.jsonl": b"{}",
            "notes.txt": b"no data",
        }
    )
    assert texts(f"{base}/a.jsonl") == [{"x": 1}]
    assert texts(f"{base}/*.jsonl") == [{"x": 1}]
    dataset = open_dataset(base)
    assert [row.values for row in dataset.rows()] == [{"x": 1}, {"x": "2"}, {"x": 4}, {"x": 3}]
    assert (dataset.count(), dataset.has_column("x"), dataset.is_remote, dataset.folder) == (4, True, True, None)
    assert ["notes.txt" in warning for warning in dataset.warnings] == [True]
    for missing in ("none.jsonl", "*.none"):
        with pytest.raises(UserError, match="no data at memory://"):
            open_dataset(f"{base}/{missing}")


def test_places_that_cannot_be_read() -> None:
    with pytest.raises(UserError, match="Protocol not known"):
        open_dataset("nosuch://place/d.jsonl")
    with pytest.raises(ExtraMissing, match="s3:// takes another package"):
        open_dataset("s3://bucket/d.jsonl")


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Answer], list[str]]]:
    """The address of a web server, what it answers by path, and the paths that it was asked for."""
    answers: dict[str, Answer] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answers[self.path.partition("?")[0]](self)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is shown."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", answers, asked
        running.shutdown()
        thread.join()


def says(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        tag = headers.get("ETag")
        known = tag is not None and handler.headers.get("If-None-Match") == tag
        handler.send_response(304 if known else status)
        for name, value in ({} if known else {"Content_Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(b"" if known else body)

    return answer


Server = tuple[str, dict[str, Answer], list[str]]


def test_data_of_a_web_server_is_copied_while_it_is_used(server: Server) -> None:
    address, answers, asked = server
    answers["/d.jsonl"] = says(b'{"x": 1}\n', ETag='"one"')
    dataset = open_dataset(f"{address}/d.jsonl?key=1")
    assert [row.values for row in dataset.rows()] == [{"x": 1}]
    assert (dataset.count(), dataset.is_remote, dataset.folder, len(asked)) == (1, True, None, 1)
    copy = dataset.files[0][0].path
    assert copy is not None
    assert copy.parent.stat().st_mode & 0o077 == 0
    assert open_dataset(f"{address}/d.jsonl?key=1").files[0][0].path == copy
    answers["/d.jsonl"] = says(b'{"x": 2}\n', ETag='"two"')
    assert texts(f"{address}/d.jsonl?key=1") == [{"x": 2}]
    assert [row.values for row in dataset.rows()] == [{"x": 1}]
    del dataset
    assert not copy.exists()


def test_redirects_stay_at_the_named_host_or_go_to_public_ones(server: Server) -> None:
    address, answers, _ = server
    answers["/moved.jsonl"] = says(b"", 302, Location="/d.jsonl")
    answers["/d.jsonl"] = says(b'{"x": 1}\n')
    assert texts(f"{address}/moved.jsonl") == [{"x": 1}]
    for target in ("http://169.254.169.254/latest", "http://localhost:1/x", "http://10.0.0.1/x"):
        answers["/moved.jsonl"] = says(b"", 302, Location=target)
        with pytest.raises(UserError, match="not on the public internet"):
            open_dataset(f"{address}/moved.jsonl")
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        answers["/moved.jsonl"] = says(b"", 302, Location=target)
        with pytest.raises((UserError, OutsideError)):
            open_dataset(f"{address}/moved.jsonl")
    answers["/round.jsonl"] = says(b"", 302, Location="/round.jsonl")
    with pytest.raises(UserError, match="status 302"):
        open_dataset(f"{address}/round.jsonl")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (says(b"", 404), UserError, "status 404"),
        (says(b"", 503), OutsideError, "status 503"),
        (says(b'{"x": 1}\n', Content_Length="100"), OutsideError, "cut off after 9 of 100 bytes"),
        (says(b"x", Content_Encoding="gzip"), UserError, "sent compressed"),
    ],
)
def test_answers_that_are_no_data(server: Server, answer: Answer, kind: type[Exception], said: str) -> None:
    address, answers, _ = server
    answers["/d.jsonl"] = answer
    with pytest.raises(kind, match=said) as caught:
        download(f"{address}/d.jsonl?sig=topsecret")
    assert "topsecret" not in str(caught.value)


def test_a_server_that_is_not_there(server: Server) -> None:
    with pytest.raises(OutsideError, match="could not be downloaded"):
        open_dataset("http://127.0.0.1:9/d.jsonl")


def test_remote_data_names_no_local_files() -> None:
    from flowyard.flows import DagFlow, Input
    from flowyard.runs.mapping import plan_lines

    base = memory({"d.jsonl": b'{"x": 1}\n'})
    flow = DagFlow(name="f", file=Path("f"), folder=Path(), inputs={"x": Input("x", "string", where="f:1")}, nodes=())
    plan = plan_lines(flow, f"{base}/d.jsonl", None, {})
    assert (plan.from_network, plan.folder, [dict(task.inputs) for task in plan.tasks]) == (True, None, [{"x": 1}])
