"""Training of the demonstration models on the procedural athlete."""
