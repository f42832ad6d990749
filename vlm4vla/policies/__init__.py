"""Policies by name, and how a user adds one."""
