"""``flowyard pipeline run post``: what production answered, evaluated by the clock."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from monitor_helper import exchange
from pipeline_helper import Repository, states

CASE = "cases/shop"
EVALUATOR = """\
evaluators:
  - name: length
    python: judges.py:length
    datasets: [{name: orders_shop, mappings: {answer: "${run.outputs.answer}"}}]
"""
JUDGE = "def length(answer):\n    return {'words': len(answer.split())}\n"


def test_production_is_evaluated_and_a_gate_says_no(tmp_path: Path):
    repository = Repository(tmp_path / "repository")
    repository.use_case("shop")
    experiment = repository.root / CASE / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("gates:\n", f"{EVALUATOR}gates:\n  - words >= 2\n"))
    repository.write(f"{CASE}/judges.py", JUDGE)
    repository.commit()
    records = [exchange(number, flow="shop", inputs={"x": "tea"}) for number in range(6)]
    repository.write("../records/a.jsonl", "".join(f"{json.dumps(each)}\n" for each in records))
    empty = repository.run("post", code=2)
    assert states(empty) == {"monitor": "refused"}
    assert repository.here("monitor", "collect", tmp_path / "records").returncode == 0
    junit = tmp_path / "post.xml"
    done = repository.run("post", "--junit", junit)
    assert (done["usecase"], states(done)) == (CASE, {"monitor": "done"})
    (case,) = ElementTree.fromstring(junit.read_bytes()).iter("testcase")
    assert (case.get("name"), case.find("failure")) == ("monitor", None)
    experiment.write_text(experiment.read_text().replace("words >= 2", "words >= 20"))
    refused = repository.run("post", code=3)
    assert states(refused) == {"monitor": "refused"}
    assert refused["key"] != done["key"]
