"""Provide instruments of this project that are not part of the service."""
