"""Graders whose verdicts students may read."""
