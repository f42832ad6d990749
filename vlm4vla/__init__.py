"""How much of a vision-language model survives when it becomes a robot policy?"""

__version__ = "0.1.0"
