"""Its own package, so that what serves its tests ends with them."""
