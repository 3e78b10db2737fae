"""Classes: right or wrong for each line, and over all lines the report and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import require_expected, text_of

__all__ = ["Classification", "classification_report"]


class Classification:
    """Compares two class labels as text, without blanks around them.

    ``labels`` are the classes there are; an expected one that is none of them fails its line. Raises UserError when
    they are not a list.
    """

    def __init__(self, labels: Sequence[str] | None = None, ignore_case: bool = False) -> None:
        if isinstance(labels, str):
            raise UserError("'labels' is a list of classes.", hint=f"Write: labels: [{labels}, …]")
        self._ignore_case = ignore_case
        self._labels = {self._key(label): text_of(label).strip() for label in labels or ()}

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, Any]:
        """``correct``, ``label`` and ``predicted``. Raises LineError without an expected class."""
        expected = self._key(require_expected(ground_truth))
        if self._labels and expected not in self._labels:
            hint = did_you_mean(expected, self._labels) or f"Classes: {known_names(self._labels.values())}."
            raise LineError(f"'ground_truth' is {ground_truth!r}, which is none of the classes.", hint=hint)
        given = self._key(answer)
        return {
            "correct": int(answer is not None and given == expected),
            "label": self._labels.get(expected, expected),
            "predicted": self._labels.get(given, given),
        }

    def __aggregate__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        pairs = [(row["label"], row["predicted"]) for row in rows]
        return classification_report(pairs, list(self._labels.values()))

    def _key(self, value: Any) -> str:
        text = text_of(value).strip()
        return text.casefold() if self._ignore_case else text


def classification_report(pairs: Sequence[tuple[str, str]], labels: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracy, the means of precision, recall and F1 over the classes, each class, and the confusion matrix.

    ``pairs`` are the expected and the given class of each line. ``labels`` come first and in their order, the others
    sorted. A share of nothing is 0. As in scikit-learn, a class counts in the plain means when it is expected or given;
    nothing at all for no pairs.
    """
    if not pairs:
        return {}
    order = [*dict.fromkeys(labels), *sorted({name for pair in pairs for name in pair} - set(labels))]
    place = {name: index for index, name in enumerate(order)}
    counts = [[0] * len(order) for _ in order]
    for expected, given in pairs:
        counts[place[expected]][place[given]] += 1
    classes = {name: _class_report(counts, index) for name, index in place.items()}
    seen = {name: each for name, each in classes.items() if each["support"] or each["given"]}
    report: dict[str, Any] = {"accuracy": sum(counts[index][index] for index in place.values()) / len(pairs)}
    for score in ("precision", "recall", "f1"):
        report[f"{score}_macro"] = sum(each[score] for each in seen.values()) / len(seen)
        report[f"{score}_weighted"] = sum(each[score] * each["support"] for each in seen.values()) / len(pairs)
    return report | {"classes": classes, "confusion_matrix": {"labels": order, "counts": counts}}


def _class_report(counts: Sequence[Sequence[int]], index: int) -> dict[str, float]:
    right = counts[index][index]
    support, given = sum(counts[index]), sum(row[index] for row in counts)
    precision, recall = _share(right, given), _share(right, support)
    f1 = _share(2 * right, given + support)
    return {"precision": precision, "recall": recall, "f1": f1, "support": support, "given": given}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
