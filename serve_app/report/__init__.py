"""A saved result as one page of HTML."""
