"""A vision-language model small enough to train on a CPU: MobileNetV2, MiniLM, and what joins them.

Importing this package imports nothing heavy.
"""
