"""`python -m vlm4vla.cli`."""

from vlm4vla.cli.app import main

main()
