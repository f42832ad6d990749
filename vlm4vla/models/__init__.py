"""VLM -> VLA: backbones, the action head, normalisation, checkpoints.

`config` and `registry` answer without torch; everything else imports it.
"""
