"""`python -m vlm4vla.cli`."""

from vlm4vla.cli import main

main()
