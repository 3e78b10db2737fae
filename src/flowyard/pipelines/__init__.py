"""What the pipelines are, as data, and going through them for one use case: the same on a laptop as in CI."""

from flowyard.pipelines.model import Pipeline, Stage
from flowyard.pipelines.stages import PIPELINES

__all__ = ["PIPELINES", "Pipeline", "Stage"]
