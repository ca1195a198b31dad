"""The biomechanics stage."""
