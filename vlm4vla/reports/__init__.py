"""Leaderboards, figures and HTML from the store."""
