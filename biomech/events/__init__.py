"""Find what happens in a clip: repetitions, gait, flights, and measures of them."""
