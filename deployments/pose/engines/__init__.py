"""Run networks by torch (the reference) or OpenVINO."""
