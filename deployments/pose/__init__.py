"""Detect people and estimate poses: registry, checkpoints, engines, codecs."""
