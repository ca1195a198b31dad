"""Provide doubles, figures, files and servers to the tests."""
