"""Open media files and read pictures from them, for decoding and rendering."""
