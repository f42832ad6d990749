"""The GrinningFace emoji task on SAPIEN 3, with ManiSkill3's robots, table, control and settings.

SAPIEN is driven directly instead of through ManiSkill3's environment classes: no torch, 0.2 s to
import instead of 6, 0.15 GB instead of 0.5 and 0.5 ms a step instead of 1.7 (one core, no picture).
A test runs the same actions through ManiSkill3's own classes and finds the same motion within
0.02 mm, grasps included.
"""
