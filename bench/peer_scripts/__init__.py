"""One peer a file, each run in its own environment; the last line that it prints is its JSON."""
