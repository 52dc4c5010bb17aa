"""Graders of which students see name and category only."""
