"""Test and compare: intervals, trends, asymmetry, dynamic time warping."""
