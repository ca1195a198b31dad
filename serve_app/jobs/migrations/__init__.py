"""Migrations of the database of jobs, applied when it is opened."""
