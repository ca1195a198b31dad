"""Offer the service to its callers: HTTP, command line, Python handle, and the graph builder."""
