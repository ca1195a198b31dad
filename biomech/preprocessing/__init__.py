"""Clean and smooth tracks: visibility, swaps, outliers, gaps, filters, noise."""
