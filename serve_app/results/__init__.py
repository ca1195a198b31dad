"""Write and read results: models of requests and responses, saved files."""
