"""The engine: schedule, simulator host, policy server, transport, watchdog."""
