"""Policies by name, and how a user adds one."""

from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.policies.registry import names, policy_class

__all__ = ["ActionChunk", "Policy", "Session", "names", "policy_class"]
