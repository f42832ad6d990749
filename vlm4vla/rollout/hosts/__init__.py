"""Simulator hosts: the process, its supervisor, and the line between them."""
