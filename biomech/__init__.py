"""Biomechanics from keypoints: pure numpy and scipy over arrays, no input or output."""
