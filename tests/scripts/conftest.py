"""The tiny model of tests/evaluation/steering."""

from tests.evaluation.steering.conftest import tiny_model

__all__ = ["tiny_model"]
