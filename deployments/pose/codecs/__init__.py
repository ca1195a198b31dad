"""Decode the outputs of networks into keypoints and boxes."""
