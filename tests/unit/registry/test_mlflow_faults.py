"""What an MLflow that fails is taken for: never for one that has nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_http import Answer, FaultyServer, faulty_server, refusal

from flowyard.errors import Conflict, OutsideError, StoreError, UserError
from flowyard.registry import Draft, TreeFile
from flowyard.registry.stores.mlflow import MlflowStore, open_rest, open_store
from flowyard.registry.stores.mlflow_artifacts import artifact_name, open_artifacts
from flowyard.registry.stores.mlflow_login import MlflowLogin, open_login
from flowyard.registry.stores.mlflow_rest import MISSING, MlflowRest, Refused, Sent
from flowyard.registry.tree import file_digest

TOKEN = "token-not-to-be-told-0815"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def rest(server: FaultyServer, waits: list[float]) -> MlflowRest:
    login = open_login(server.url, {"MLFLOW_TRACKING_TOKEN": TOKEN})
    return MlflowRest(server.url, login, wait=waits.append)


@pytest.fixture
def drafted(tmp_path: Path) -> Draft:
    (tmp_path / "a.txt").write_bytes(b"first")
    file = TreeFile("a.txt", 5, file_digest(tmp_path / "a.txt"))
    return Draft("flow", "talk", (file,), (tmp_path / "a.txt",), is_folder=False)


FAULTS = {
    "no right": Answer(403, b"Forbidden"),
    "no login": Answer(401, b"You are not authenticated."),
    "another server": Answer(404, b"<html>not here</html>"),
    "a page for signing in": Answer(200, b"<html>sign in</html>"),
    "a redirect": Answer(302, headers={"Location": "https://elsewhere.invalid/"}),
    "overloaded": Answer(503, b"busy"),
    "broken": refusal(500, "INTERNAL_ERROR"),
    "cut off": Answer(200, b"{", cut=True),
    "silent": Answer(silent=True),
    "a list": Answer(200, b"[]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_outside_and_nothing_is_made(
    fault: str, server: FaultyServer, rest: MlflowRest, drafted: Draft
):
    server.answers = [FAULTS[fault]]
    store = MlflowStore(rest)
    for work in (lambda: store.add(drafted), lambda: store.names("flow"), lambda: store.versions("flow", "talk")):
        with pytest.raises(OutsideError) as caught:
            work()
        assert caught.value.hint
        assert TOKEN not in f"{caught.value}{caught.value.hint}"
    assert not any("create" in path for _, path, _, _ in server.asked)


def test_what_may_pass_is_tried_again(server: FaultyServer, rest: MlflowRest, waits: list[float]):
    busy = [Answer(429, headers={"Retry-After": "7"}), Answer(503, headers={"Retry-After": "0"}), Answer(silent=True)]
    quicker = refusal(400, "BAD_REQUEST", "UNIQUE constraint failed: model_version_tags.key")
    server.answers = [*busy, refusal(500, "TEMPORARILY_UNAVAILABLE"), quicker, Answer(200, b'{"a": 1}')]
    assert rest.get("anything") == {"a": 1}
    assert waits[:2] == [7.0, 0.0]
    assert len(waits) == 5


def test_a_wait_without_end_is_not_waited_for(server: FaultyServer, rest: MlflowRest, waits: list[float]):
    server.answers = [Answer(429, headers={"Retry-After": "86400"})]
    with pytest.raises(OutsideError, match="wait 86400 s"):
        rest.get("anything")
    assert (waits, len(server.asked)) == ([], 1)


def test_what_the_server_repeats_of_a_secret_is_hidden(server: FaultyServer, rest: MlflowRest):
    server.answers = [refusal(400, "INVALID_PARAMETER_VALUE", f"bad header \x1b[31m Bearer {TOKEN}")]
    with pytest.raises(Refused) as caught:
        rest.get("anything")
    assert TOKEN not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert server.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_a_lost_answer_makes_no_second_version(server: FaultyServer, rest: MlflowRest, drafted: Draft):
    """The server stores the version, its answer is lost, and what is sent again is stored again."""
    models: list[dict[str, object]] = []
    stored: dict[str, bytes] = {}

    def choose(method: str, path: str) -> Answer | None:
        body = server.asked[-1][3]
        call = path.partition("/api/2.0/")[2]
        if call == "mlflow/model-versions/create":
            models.append({**json.loads(body), "version": str(len(models) + 1)})
            return Answer(silent=True) if len(models) == 1 else Answer(200, b'{"model_version": {}}')
        if call == "mlflow/model-versions/delete":
            wanted = json.loads(body)["version"]
            models[:] = [each for each in models if each["version"] != wanted]
            return Answer()
        if call.startswith("mlflow/model-versions/search"):
            return Answer(200, json.dumps({"model_versions": models}).encode())
        if call.startswith("mlflow/experiments"):
            return Answer(200, b'{"experiment": {"experiment_id": "1"}}')
        if call.startswith(("mlflow/runs/create", "mlflow/runs/get")):
            return Answer(200, b'{"run": {"info": {"run_id": "r", "artifact_uri": "mlflow-artifacts:/1/r"}}}')
        if call.startswith("mlflow-artifacts"):
            if method == "PUT":
                stored[call] = body
            return Answer(200, stored[call])
        return Answer()

    server.choose = choose
    added = MlflowStore(rest).add(drafted)
    assert (added.is_new, added.version.version) == (True, 1)
    assert [each["version"] for each in models] == ["1"]


def test_what_changes_while_it_is_sent_is_told(server: FaultyServer, rest: MlflowRest, drafted: Draft):
    server.answers = [Answer()]
    artifacts = open_artifacts(rest, "mlflow-artifacts:/1/r/artifacts")
    [place], [file] = drafted.places, drafted.files
    artifacts.put_file("files/a.txt", place, file)
    for content in (b"f1rst", b"firs", b"first and more"):
        place.write_bytes(content)
        with pytest.raises(Conflict, match="changed"):
            artifacts.put_file("files/a.txt", place, file)
    place.unlink()
    with pytest.raises(Conflict, match="changed"):
        artifacts.put_file("files/a.txt", place, file)


def test_a_missing_artifact_is_damage_and_one_too_long_is_not_written(
    server: FaultyServer, rest: MlflowRest, tmp_path: Path
):
    artifacts = open_artifacts(rest, "mlflow-artifacts:/1/r/artifacts")
    server.answers = [Answer(200, b"x" * 1000)]
    artifacts.get("files/a", tmp_path / "got", 10)
    assert (tmp_path / "got").stat().st_size == 11
    server.answers = [refusal(404, MISSING)]
    with pytest.raises(StoreError, match="missing"):
        artifacts.get("files/a", tmp_path / "got", 10)


@pytest.mark.parametrize("uri", ["file:///etc", "/etc", "dbfs:/x", "mlflow-artifacts://elsewhere:1/x", "http://x/y"])
def test_a_server_cannot_say_where_to_write(rest: MlflowRest, uri: str):
    with pytest.raises(OutsideError, match="cannot put any"):
        open_artifacts(rest, uri)


def test_a_name_that_mlflow_may_refuse_is_kept_by_its_digest():
    digest = "0" * 64
    names = {
        "a.txt": True,
        "deep/er/b-1_2.txt": True,
        "a b": False,
        "ü": False,
        "a#b": False,
        "%2e": False,
        ".x": False,
    }
    for name, plain in names.items():
        expected = f"files/{name}" if plain else f"blobs/{digest}"
        assert artifact_name(TreeFile(name, 1, digest)) == expected
    assert artifact_name(TreeFile("x" * 200, 1, digest)).startswith("blobs/")


def test_who_asks_comes_from_mlflows_own_variables():
    pair = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"}
    assert open_login("http://h", pair).headers() == {"Authorization": "Basic bWU6cA=="}
    assert open_login("http://h", {"MLFLOW_TRACKING_TOKEN": "t"}).headers() == {"Authorization": "Bearer t"}
    assert open_login("http://h", {}).headers() == {}
    with pytest.raises(UserError, match="go together"):
        open_login("http://h", {"MLFLOW_TRACKING_USERNAME": "me"})
    with pytest.raises(UserError, match="no token"):
        open_login("http://h", {"MLFLOW_TRACKING_TOKEN": "a\nb"})


def test_a_token_is_asked_for_again_before_it_ends():
    given = iter([("one", 0.0), ("two", 4e9)])
    login = MlflowLogin(token=lambda: next(given))
    assert [login.headers()["Authorization"] for _ in range(3)] == ["Bearer one", "Bearer two", "Bearer two"]
    assert login.secrets() == ("two",)


@pytest.mark.parametrize(
    "url", ["mlflow+http://me:pw@h", "mlflow+https://", "mlflow+http://h?other=1", "mlflow+http://h?prefix=a/b"]
)
def test_an_address_that_cannot_be_is_refused(url: str):
    with pytest.raises(UserError) as caught:
        open_store(url, {})
    assert "pw" not in str(caught.value)


def test_the_address_of_a_workspace_of_azure_ml(monkeypatch: pytest.MonkeyPatch):
    workspace = "r.api.azureml.ms/mlflow/v1.0/subscriptions/s/resourceGroups/g/workspaces/w"
    assert open_rest(f"mlflow+azureml://{workspace}", {}).label == "MLflow at r.api.azureml.ms"
    headers = open_login(f"https://{workspace}", {"MLFLOW_TRACKING_TOKEN": "t"}).headers()
    assert headers == {"Authorization": "Bearer t"}


def test_files_go_to_the_named_storage_where_mlflows_own_is_out_of_reach(
    server: FaultyServer, rest: MlflowRest, tmp_path: Path
):
    store = MlflowStore(rest, files=(tmp_path / "storage").as_uri())
    artifacts = store._storage("r")
    artifacts.put("files/a", Sent(lambda: io.BytesIO(b"abc"), 3))
    artifacts.get("files/a", tmp_path / "got", 3)
    assert (tmp_path / "got").read_bytes() == b"abc"
    with pytest.raises(StoreError, match="missing"):
        artifacts.get("files/b", tmp_path / "got", 3)
    assert server.asked == []
