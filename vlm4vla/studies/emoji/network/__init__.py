"""A vision-language model small enough to train on a CPU: MobileNetV2, MiniLM, and what joins them.

Importing this package imports nothing heavy.
"""

from vlm4vla.models.registry import BackboneEntry

ENTRY = BackboneEntry(
    "mobilenet-minilm",
    "vlm4vla.studies.emoji.network.backbone:MobileNetMiniLM",
    summary="24 M: pretrained parts that ship in packages; bench learn",
)
