"""The service as its callers see it: HTTP, command line, Python handle, and the graph builder."""
