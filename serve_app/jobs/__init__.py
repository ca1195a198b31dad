"""Run jobs: videos that wait their turn, survive a kill, and belong to who sent them."""
