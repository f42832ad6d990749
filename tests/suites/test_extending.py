"""Suite files that extend one another, the formats they say they are of, and what families know."""

import re
from pathlib import Path

import pytest
import yaml

from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.files import shipped
from vlm4vla.suites.campaign import load_campaign
from vlm4vla.suites.files import facts_of, headline_names, load_file, suite_names
from vlm4vla.suites.suite import load

FORMATS = Path(__file__).parent / "formats"
DOCS = Path(__file__).parents[2] / "docs"


def written(folder, name, text):
    (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{name}.yaml")


def test_mappings_are_joined_and_lists_replaced(tmp_path):
    written(
        tmp_path, "base",
        "name: base\nsummary: b\nsimulator: toy\noptions: {step_ms: 1, fault: none}\n"
        "metrics: [{name: success, kind: rate, of: success}, {name: d, kind: mean, of: distance}]\n"
        "protocols: {slow: {summary: s, options: {step_ms: 2}}}\n",
    )  # fmt: skip
    path = written(
        tmp_path, "mine",
        "extends: base.yaml\nname: mine\nsummary: m\noptions: {step_ms: 5}\n"
        "metrics: [{name: d, kind: mean, of: distance, headline: true}]\n"
        "protocols: {slow: {options: {fault: hang}}}\n",
    )  # fmt: skip
    file = load_file(path)
    assert (file.name, file.summary, file.simulator) == ("mine", "m", "toy")
    assert file.options == {"step_ms": 5, "fault": "none"}
    assert [metric.name for metric in file.metrics] == ["d"]
    assert file.protocols["slow"].options == {"step_ms": 2, "fault": "hang"}


def test_a_users_file_extends_a_shipped_suite_and_a_file_in_another_folder(tmp_path):
    (tmp_path / "bases").mkdir()
    written(tmp_path / "bases", "few", "extends: toy\nname: few\nepisodes: {count: 3}\n")
    path = written(tmp_path, "fewer", "extends: bases/few.yaml\nname: fewer\nsuccess: any\n")
    suite = load(path)
    assert (suite.name, len(suite.episodes), suite.success) == ("fewer", 6, "any")
    assert [metric.name for metric in suite.metrics] == ["success", "grasped", "distance"]


def test_a_name_is_not_inherited(tmp_path):
    path = written(tmp_path, "nameless", "extends: toy\nsummary: s\n")
    with pytest.raises(InvalidFile, match="name: Field required"):
        load_file(path)


def test_a_circle_is_refused_by_name(tmp_path):
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        written(tmp_path, one, f"extends: {other}.yaml\nname: {one}\n")
    with pytest.raises(
        InvalidFile, match=r"a\.yaml extends .*b\.yaml extends .*c\.yaml extends .*a"
    ):
        load_file(str(tmp_path / "a.yaml"))
    with pytest.raises(InvalidFile, match="a circle"):
        load_file(written(tmp_path, "me", "extends: me.yaml\nname: me\n"))


def test_a_base_that_is_none_is_refused_with_near_names(tmp_path):
    with pytest.raises(UnknownName, match=r"calvin_abdc.*Did you mean calvin_abcd"):
        load_file(written(tmp_path, "mine", "extends: calvin_abdc\nname: mine\n"))
    with pytest.raises(InvalidFile, match="No such file"):
        load_file(written(tmp_path, "mine", "extends: absent.yaml\nname: mine\n"))


def test_an_unknown_field_is_told_with_the_file_it_stands_in(tmp_path):
    written(tmp_path, "base", "simulator: toy\nsumary: s\n")
    path = written(tmp_path, "mine", "extends: base.yaml\nname: mine\nsummary: s\n")
    with pytest.raises(InvalidFile, match=r"base\.yaml: there is no field 'sumary'.*summary"):
        load_file(path)


@pytest.mark.parametrize("number", ["", "format: 1\n"])
def test_a_suite_and_a_campaign_of_format_1_are_read(tmp_path, number):
    suite = load_file(written(tmp_path, "s", number + (FORMATS / "suite-1.yaml").read_text()))
    assert suite.protocols["slow"].options == {"step_ms": 1} and suite.success == "any"
    assert [(m.name, m.headline) for m in suite.metrics] == [("success", True), ("distance", False)]
    campaign = load_campaign(
        written(tmp_path, "c", number + (FORMATS / "campaign-1.yaml").read_text())
    )
    assert [row.policy for row in campaign.rows] == ["expert", "random"]
    assert campaign.columns[0].task == "all"


@pytest.mark.parametrize("name", ["toy", "grinningface_val"])
def test_a_suite_that_0_2_0_shipped_is_todays(name):
    old = load(str(FORMATS / "0.2.0" / f"{name}.yaml"))
    assert len(old.episodes) >= 20
    assert old == load(name)


def test_a_campaign_that_0_2_0_shipped_is_todays():
    old = load_campaign(str(FORMATS / "0.2.0" / "vlm4vla_table2.yaml"))
    assert old == load_campaign("vlm4vla_table2")


@pytest.mark.parametrize("number", ["2", "0", "one", "1.0", "true"])
def test_another_format_is_refused_by_its_number(tmp_path, number):
    head = f"format: {number}\n"
    with pytest.raises(InvalidFile, match="suite file of format"):
        load_file(written(tmp_path, "s", head + (FORMATS / "suite-1.yaml").read_text()))
    with pytest.raises(InvalidFile, match="campaign of format"):
        load_campaign(written(tmp_path, "c", head + (FORMATS / "campaign-1.yaml").read_text()))


def test_each_file_of_a_chain_says_its_own_format(tmp_path):
    written(tmp_path, "base", "format: 7\nsimulator: toy\n")
    with pytest.raises(InvalidFile, match=r"base\.yaml is a suite file of format 7"):
        load_file(written(tmp_path, "s", "format: 1\nextends: base.yaml\nname: s\nsummary: s\n"))


def test_families_know_of_suites_that_are_only_printed():
    assert "EGL" in facts_of("calvin_abcd").differs
    assert facts_of("calvin_of_another_harness").differs == facts_of("calvin_debug").differs
    assert "SAPIEN 2" in facts_of("simpler_bridge").differs
    assert "MuJoCo" in facts_of("libero_10").differs
    assert facts_of("nobodys_suite").differs == ""
    assert headline_names() == {"length", "overall", "success"}


def test_nothing_that_a_family_says_is_repeated():
    """34 subtasks stand once, and so do the metrics of the emoji task."""
    texts = [path.read_text() for path in shipped("benchmarks").rglob("*.yaml")]
    assert sum("rotate_red_block_right" in text for text in texts) == 1
    assert sum("success_paper" in text for text in texts) == 1
    subtasks = load_file("calvin_abcd").tables["subtask"]
    assert len(subtasks) == 34
    for name in ("calvin_debug", "calvin_abcd_wrist"):
        assert load_file(name).tables["subtask"] == subtasks
    known = {"toy", "calvin", "grinningface", "libero"}
    known |= {f"simpler_{kind}" for kind in ("bridge", "google", "official")}
    assert {load_file(n).simulator for n in suite_names()} == known


def test_the_files_of_the_guide_are_read_as_it_says(tmp_path):
    text = (DOCS / "add_a_suite.md").read_text()
    files = re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", text, re.S)
    assert len(files) >= 2
    for name, content in files:
        yaml.safe_load(content)
        (tmp_path / name).write_text(content)
    suite = load(str(tmp_path / files[-1][0]))
    assert suite.name == "far_puck_slow" and suite.options["step_ms"] == 2
    assert len(suite.episodes) == 8
    assert next(metric.name for metric in suite.metrics) == "distance"


def test_a_suite_without_a_metric_is_refused(tmp_path):
    path = written(tmp_path, "blind", "name: blind\nsummary: s\nsimulator: toy\nmetrics: []\n")
    with pytest.raises(InvalidFile, match=r"metrics: .*at least 1"):
        load_file(path)
