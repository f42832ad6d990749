"""SimplerEnv's Bridge tasks: a WidowX 250 S at a table or a sink."""
