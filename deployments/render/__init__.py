"""Draw, encode, join and store the annotated video."""
