"""Fetch videos from guarded addresses and object stores."""
