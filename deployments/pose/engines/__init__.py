"""What runs a network: torch (the reference) and OpenVINO."""
