"""Fetch, probe, decode, and cut crops: everything that reads a media file."""
