"""SimplerEnv on SAPIEN 3: what its two robots share here, and a room for each of them."""
