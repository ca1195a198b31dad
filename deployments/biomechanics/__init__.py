"""Compute the biomechanics of clips: a stage of the graph."""
