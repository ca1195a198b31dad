"""A procedural athlete: a body of known joint angles, moved, seen by a camera and drawn."""
