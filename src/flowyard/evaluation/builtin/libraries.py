"""The optional libraries and data behind text metrics: asked for when a metric is made, so nothing fails half-way."""

from __future__ import annotations

import importlib
import threading
from types import ModuleType
from typing import Any

from flowyard.errors import ExtraMissing

__all__ = ["open_wordnet", "require_library", "require_nltk_data"]

_lock = threading.Lock()
_wordnets: dict[str, Any] = {}


def require_library(module: str, metric: str) -> ModuleType:
    """The module. Raises ExtraMissing, which says what to install, when its package is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0].replace("_", "-")
        raise ExtraMissing(f"{metric} takes {package}.", hint="pip install 'flowyard[metrics]'") from None


def require_nltk_data(place: str, metric: str) -> Any:
    """Where a data set of NLTK lies, such as ``corpora/wordnet``. Raises ExtraMissing when it is not installed."""
    data = require_library("nltk.data", metric)
    try:
        return data.find(place)
    except LookupError:
        name = place.split("/")[1]
        message = f"{metric} needs the data set {name!r} of NLTK, which is not installed."
        hint = f"python -m nltk.downloader {name}\nOr copy it from another machine and set NLTK_DATA to its folder."
        raise ExtraMissing(message, hint=hint) from None


def open_wordnet(metric: str) -> Any:
    """NLTK's reader of the English WordNet, opened once; it is for one thread at a time. Raises ExtraMissing."""
    root = require_nltk_data("corpora/wordnet", metric)
    reader = require_library("nltk.corpus.reader.wordnet", metric)
    with _lock:
        if str(root) not in _wordnets:
            # Other languages are read from a second corpus: False is none of them, None would be warned of.
            _wordnets[str(root)] = reader.WordNetCorpusReader(root, False)
        return _wordnets[str(root)]
