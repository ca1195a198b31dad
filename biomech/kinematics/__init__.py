"""Measure how a body moves: geometry, view, angles, curves, center of mass."""
