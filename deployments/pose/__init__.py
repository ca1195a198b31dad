"""Person detection and pose estimation: registry, checkpoints, engines, codecs."""
