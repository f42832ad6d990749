"""What the author of a simulator or a policy runs: every rule of the contracts, tried out.

    from vlm4vla.testing import check_policy, check_simulator

    check_simulator("my_simulator:MyPlugin", "my_suite.yaml")
    check_policy("my_policy:MyPolicy", "toy")

Both return quietly, or raise `BrokenContract` with a line for each rule that does not hold.
"""

from vlm4vla.testing.findings import BrokenContract
from vlm4vla.testing.policy import check_policy
from vlm4vla.testing.simulator import check_simulator

__all__ = ["BrokenContract", "check_policy", "check_simulator"]
