"""Write the biomechanics as JSON-ready blocks."""
