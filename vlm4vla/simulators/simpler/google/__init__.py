"""SimplerEnv's Google Robot tasks: a mobile robot before a table or a cabinet with drawers."""
