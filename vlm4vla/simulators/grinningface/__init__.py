"""The GrinningFace emoji task on SAPIEN 3, with ManiSkill3's robots, table and physics settings.

ManiSkill3's own environment classes spend 11-17 ms a step on tensors for one robot. Here SAPIEN is
driven directly by the same laws (`control`, `contacts`), which a test compares with ManiSkill3's
classes step by step, and a step takes well under a millisecond.
"""
