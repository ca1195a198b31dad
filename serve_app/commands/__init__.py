"""The commands of `mmpose-service`, one a file."""
