"""Turn a saved result into one page of HTML."""
