"""What makes things of this project, and is not part of the service."""
