"""Saved results as files of other programs."""
