"""Evaluation through the pipeline that serves."""

from shortlist.offline.evaluate.protocol import evaluate
from shortlist.offline.evaluate.report import Evaluation

__all__ = ["Evaluation", "evaluate"]
