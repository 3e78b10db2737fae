"""What goes along to nodes: connections without the files they came from, and a part of the limits."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from flowyard.errors import OutsideError, UserError
from flowyard.llm import CallRules, Connections, ConnectionStore, ProviderOpener, YamlSource
from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.connection import CustomConnection
from flowyard.llm.pacing import RateLimit
from flowyard.llm.recording import RecordingRules
from flowyard.sessions.cluster.carried import carried
from flowyard.sessions.cluster.node_folder import NodeFolder
from flowyard.sessions.cluster.node_rules import opener_on_node, opener_shared_by, this_machine

FILE = """\
name: from_file
type: custom
configs: {a: "1"}
secrets: {word: "${env:WORD}"}
"""


def test_connections_travel_without_their_files(tmp_path: Path):
    (tmp_path / "c.yaml").write_text(FILE)
    store = ConnectionStore(tmp_path / "store", {})
    store.change("from_store", lambda _: CustomConnection({"a": "2"}, {"word": "stored"}, name="from_store"))
    sources = [YamlSource([tmp_path / "c.yaml"], {"WORD": "read"}), store]
    travels = pickle.dumps(carried(Connections(sources)))
    for file in [tmp_path / "c.yaml", *(tmp_path / "store").iterdir()]:
        file.unlink()
    there: Connections = pickle.loads(travels)
    assert there.get("from_file", needed_by="a test")["word"] == "read"
    assert there.get("from_store", needed_by="a test")["word"] == "stored"
    assert sorted(there.names()) == ["from_file", "from_store"]


def test_machines_that_do_not_see_each_other_share_the_limits():
    opener = ProviderOpener(CallRules(limits={"*": RateLimit(rpm=600), "b": RateLimit(tpm=90)}))
    shared = opener_shared_by(opener, 3)
    assert isinstance(shared, ProviderOpener)
    assert shared.rules.limits == {"*": RateLimit(rpm=200), "b": RateLimit(tpm=30)}
    assert opener_shared_by(opener, 1) is opener


def test_files_of_the_machine_that_drives_are_used_there_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    rules = CallRules(pace_file=tmp_path / "home" / "pace", cache=CacheRules(tmp_path / "home" / "kept.sqlite"))
    opener = ProviderOpener(rules)
    assert opener_on_node(opener, this_machine()) is opener
    there = opener_on_node(opener, "another machine")
    assert isinstance(there, ProviderOpener)
    (folder,) = there.rules.folders()
    assert folder.parent == tmp_path / "node"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(OutsideError, match="not a private folder"):
        opener_on_node(opener, "another machine")


def test_what_cannot_be_elsewhere_is_refused(tmp_path: Path):
    recording = RecordingRules(tmp_path / "calls.jsonl", "record", tmp_path / "lock")
    with pytest.raises(UserError, match="one machine"):
        opener_on_node(ProviderOpener(CallRules(recording=recording)), "another machine")
    with pytest.raises(OutsideError, match="has no file"):
        opener_on_node(ProviderOpener(CallRules(price_files=(tmp_path / "prices.yaml",))), "another machine")


def test_a_folder_that_a_killed_worker_left_is_deleted_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned = tmp_path / "flowyard-node-abandoned"
    abandoned.mkdir()
    (abandoned / "held").touch()
    first = NodeFolder()
    second = NodeFolder()
    assert not abandoned.exists()
    assert first.path.is_dir()
    first.delete()
    second.delete()
    assert list(tmp_path.iterdir()) == []
