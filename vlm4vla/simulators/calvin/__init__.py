"""CALVIN's play table on pybullet 3.2.7: one world a chain, equal to upstream bit for bit.

Upstream is mees/calvin_env@797142c. Its traces replay here with state error 0 and equal pictures
(TinyRenderer), on a machine with the recording machine's C library.
"""
