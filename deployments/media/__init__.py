"""Opening media files and reading pictures from them: what decoding and rendering share."""
