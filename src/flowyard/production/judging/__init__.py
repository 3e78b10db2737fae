"""Judging what production answered: a sample of its exchanges, by the evaluators of the experiment, each once."""

from flowyard.production.judging.judges import LiveJudge, find_judges
from flowyard.production.judging.live import Judged, LiveJudging
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.sampling import SamplingRule

__all__ = ["Judged", "Judgement", "LiveJudge", "LiveJudging", "SamplingRule", "find_judges"]
