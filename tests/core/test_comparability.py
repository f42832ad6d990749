from vlm4vla.core.comparability import conflicts


def test_facts_that_both_state_and_that_differ_forbid_a_comparison():
    runs = [{"engine": "a", "robot": "panda"}, {"engine": "b", "robot": "panda"}]
    assert conflicts(runs) == {"engine": ("a", "b")}


def test_a_fact_one_run_does_not_state_forbids_nothing():
    blind, seeing = {"engine": "a"}, {"engine": "a", "renderer": "cpu"}
    assert conflicts([blind, seeing]) == {}
    assert conflicts([blind, seeing, {"renderer": "gpu"}]) == {"renderer": ("cpu", "gpu")}
