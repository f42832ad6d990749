"""The engine: schedule, simulator host, policy server, transport, watchdog. Ray lives here only."""
