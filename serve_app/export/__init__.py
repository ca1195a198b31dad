"""Convert saved results to files of other programs."""
