"""A run from request to rows: where suites, policies, the engine and the store meet."""
