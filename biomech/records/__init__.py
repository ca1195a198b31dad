"""Define the result of a person as dataclasses, once: JSON, its schema and its readers follow.

The text below a field describes it, in the schema too. To add a field, see docs/contributor.md,
Recipes.
"""
