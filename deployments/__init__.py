"""Implement the stages of the graph, each a plain engine and a thin Ray Serve deployment."""
