"""Text metrics give what promptflow-evals gives, and say what they lack."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import ExtraMissing
from flowyard.evaluation.builtin import BleuScore, F1Score, GleuScore, MeteorScore, RougeScore, RougeType
from flowyard.evaluation.builtin.words import WordSplitter

ORACLE = json.loads(Path(__file__).with_name("text_metrics.json").read_text("utf-8"))["pairs"]
METRICS: dict[str, Any] = {
    "f1": F1Score,
    "bleu": BleuScore,
    "gleu": GleuScore,
    "meteor": MeteorScore,
    "meteor_flat": lambda: MeteorScore(alpha=0.5, beta=1.0, gamma=0.2),
    **{f"rouge:{kind.value}": (lambda kind=kind: RougeScore(kind)) for kind in RougeType},
}


@pytest.mark.usefixtures("nltk_data")
@pytest.mark.parametrize("pair", ORACLE, ids=lambda pair: pair["answer"][:30])
def test_words_are_split_as_promptflow_does(pair: dict[str, Any]) -> None:
    words = WordSplitter("the test")
    assert [words.split(pair["answer"]), words.split(pair["ground_truth"])] == pair["tokens"]


@pytest.mark.usefixtures("nltk_data")
@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_those_of_promptflow(metric: str) -> None:
    evaluator = METRICS[metric]()
    for pair in ORACLE:
        found = evaluator(answer=pair["answer"], ground_truth=pair["ground_truth"])
        assert found == pytest.approx(pair["scores"][metric]), pair["answer"]
        assert all(type(value) is float for value in found.values())


def test_the_oracle_covers_every_metric() -> None:
    assert all(pair["scores"].keys() == METRICS.keys() for pair in ORACLE)


@pytest.mark.usefixtures("nltk_data")
def test_synonyms_count_for_meteor() -> None:
    meteor = MeteorScore()
    synonym = meteor(answer="the auto", ground_truth="the car")["meteor_score"]
    stranger = meteor(answer="the tree", ground_truth="the car")["meteor_score"]
    assert synonym > stranger


@pytest.mark.usefixtures("nltk_data")
def test_meteor_is_right_from_many_threads() -> None:
    meteor = MeteorScore()
    pairs = ORACLE * 20
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda pair: meteor(answer=pair["answer"], ground_truth=pair["ground_truth"]), pairs))
    assert [each["meteor_score"] for each in found] == pytest.approx(
        [pair["scores"]["meteor"]["meteor_score"] for pair in pairs]
    )


@pytest.mark.parametrize("text", ["", "  ", "None"])
def test_f1_of_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'answer' is empty"):
        F1Score()(answer=text, ground_truth="x")
    with pytest.raises(ValueError, match="'ground_truth' is empty"):
        F1Score()(answer="x", ground_truth=text)


def test_keywords_that_a_metric_does_not_read_are_ignored() -> None:
    assert F1Score()(answer="a b", ground_truth="b", question="?", context="c") == {"f1_score": 1.0}


def test_an_unknown_type_of_rouge_is_refused() -> None:
    with pytest.raises(ValueError, match="rouge9"):
        RougeScore("rouge9")


@pytest.mark.usefixtures("no_nltk_data")
@pytest.mark.parametrize("metric", [BleuScore, GleuScore, MeteorScore])
def test_missing_data_of_nltk_is_said_when_the_metric_is_made(metric: Any) -> None:
    with pytest.raises(ExtraMissing, match="punkt_tab") as caught:
        metric()
    assert "python -m nltk.downloader punkt_tab" in str(caught.value.hint)


def test_meteor_without_wordnet_is_refused_rather_than_another_score(
    nltk_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk

    (tmp_path / "tokenizers").symlink_to(nltk_folder / "tokenizers")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path), str(nltk_folder / "tokenizers")])
    with pytest.raises(ExtraMissing, match="wordnet") as caught:
        MeteorScore()
    assert "python -m nltk.downloader wordnet" in str(caught.value.hint)


@pytest.mark.parametrize(("metric", "package"), [(BleuScore, "nltk"), (lambda: RougeScore("rouge1"), "rouge-score")])
def test_a_missing_package_is_said(metric: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nltk", "rouge_score")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "nltk", None)
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(ExtraMissing, match=package) as caught:
        metric()
    assert caught.value.hint == "pip install 'flowyard[metrics]'"
