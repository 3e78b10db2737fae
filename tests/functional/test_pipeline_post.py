"""``flowyard pipeline run post``: what production answered, evaluated by the clock."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from monitor_helper import exchange
from pipeline_helper import Repository, collect, production_records, states


def test_production_is_evaluated_and_a_gate_says_no(tmp_path: Path):
    repository = Repository(tmp_path / "repository")
    folder = production_records(repository, [exchange(number, flow="shop", inputs={"x": "tea"}) for number in range(6)])
    experiment = repository.root / folder / "experiment.yaml"
    repository.commit()
    empty = repository.run("post", code=2)
    assert states(empty) == {"monitor": "refused"}
    collect(repository)
    junit = tmp_path / "post.xml"
    done = repository.run("post", "--junit", junit)
    assert (done["usecase"], states(done)) == (folder, {"monitor": "done"})
    (case,) = ElementTree.fromstring(junit.read_bytes()).iter("testcase")
    assert (case.get("name"), case.find("failure")) == ("monitor", None)
    experiment.write_text(experiment.read_text().replace("words >= 2", "words >= 20"))
    refused = repository.run("post", code=3)
    assert states(refused) == {"monitor": "refused"}
    assert refused["key"] != done["key"]
