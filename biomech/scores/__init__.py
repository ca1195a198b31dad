"""Score posture, balance, gait, smoothness and readiness."""
