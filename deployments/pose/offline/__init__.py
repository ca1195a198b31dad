"""Evaluate, calibrate and quantize pose networks offline."""
