"""Measure and tune offline: strides, precisions, reliability."""
