"""Campaigns: the paper's tables as matrices, run as far as they can be and continued."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.cli.test_replay import bench
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.models.registry import SHIPPED
from vlm4vla.reports.board import campaign as report
from vlm4vla.runs.campaign import cells
from vlm4vla.runs.request import RunRequest
from vlm4vla.store.published import published
from vlm4vla.suites.campaign import campaign_names, load_campaign
from vlm4vla.suites.files import load_file, suite_names

TABLES = ["vlm4vla_table1", "vlm4vla_table2"]
NINE = [entry.name for entry in SHIPPED if entry.source.count("/") == 1]
"""The backbones with a model on the hub: the paper's."""
SMALL = """
name: small
summary: A small matrix
checkpoints: "{data}/{policy}"
suites:
  - {suite: toy, data: carrying}
  - {suite: moon_landing, data: rockets}
rows:
  - {model: Expert, policy: expert, checkpoint: false}
  - {model: Toy VLA, policy: toy, size: 40k}
columns:
  - {title: Success, suite: toy, metric: success, unit: percent}
  - {title: Near, suite: toy, metric: success, task: near, unit: percent}
  - {title: Distance, suite: toy, metric: distance, unit: number}
  - {title: Moon, suite: moon_landing, metric: success, unit: fraction}
"""


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_tables_ship_complete(name):
    """Every number of the paper's table stands in ours, and the nine backbones are the rows."""
    campaign = load_campaign(name)
    assert name in campaign_names()
    assert sorted(row.policy for row in campaign.rows) == sorted(NINE)
    found = report.entries(campaign)
    printed = [p for p in published() if p.source == campaign.source and p.table == campaign.table]
    assert printed
    shown = {(e.model, e.suite, e.metric, e.task): e.published for e in found}
    assert shown == {(p.model, p.suite, p.metric, p.task): p.value for p in printed}
    assert all(entry.value is None for entry in found)


@pytest.mark.parametrize("name", TABLES)
def test_its_columns_are_metrics_of_suites_that_exist(name):
    campaign = load_campaign(name)
    for column in campaign.columns:
        if column.suite in suite_names():
            assert column.metric in [metric.name for metric in load_file(column.suite).metrics]


def test_the_layout_is_the_papers():
    campaign = load_campaign("vlm4vla_table1")
    grid = report.campaign_table(campaign, report.entries(campaign))
    assert tuple(column.name for column in grid.columns[3:]) == (
        "Task-1",
        "Task-2",
        "Task-3",
        "Task-4",
        "Task-5",
        "Calvin",
    )
    lines = [[cell.text for cell in line] for line in grid.body]
    assert lines[0] == ["OpenVLA*", "7.7B", "paper", "0.792", "0.644", "0.499", "0.368", "0.245",
                        "2.548"]  # fmt: skip
    place = next(i for i, line in enumerate(lines) if line[0] == "Qwen3VL-4B")
    assert lines[place][3:] == ["0.933", "0.857", "0.790", "0.719", "0.644", "3.943"]
    assert lines[place + 1][:3] == ["", "", "ours"]
    assert sum(line[2] == "ours" for line in lines) == 9


def test_a_suite_without_a_word_for_its_data_has_its_checkpoints_in_the_folder_itself(tmp_path):
    (tmp_path / "c.yaml").write_text(SMALL.replace(", data: carrying", ""))
    campaign = load_campaign(str(tmp_path / "c.yaml"))
    found = cells(campaign, tmp_path / "ck", RunRequest("", ""), policies=["toy"])
    folders = [Path(cell.request.policy_options["checkpoint"]) for cell in found]
    assert folders == [tmp_path / "ck" / "toy", tmp_path / "ck" / "rockets" / "toy"]


def test_cells_without_checkpoint_or_suite_say_what_they_lack(tmp_path):
    campaign = load_campaign("vlm4vla_table2")
    found = cells(campaign, tmp_path, RunRequest("", ""), ["qwen3vl-4b"])
    assert [cell.suite.suite for cell in found] == ["simpler_bridge", "libero_10"]
    for cell in found:
        if cell.suite.suite in suite_names():
            assert "no checkpoint at" in cell.problem
            assert cell.fix.startswith("bench train --backbone qwen3vl-4b --recipe ")
        else:
            assert "no suite" in cell.problem
    with pytest.raises(UnknownName, match="qwen3vl-4b"):
        cells(campaign, tmp_path, RunRequest("", ""), ["qwen3vl-5b"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rows:", "row:", "rows"),
        ("suite: toy, metric: distance", "suite: top, metric: distance", "top"),
        ("unit: percent", "unit: promille", "unit"),
        ('"{data}/{policy}"', '"{data}/{seed}"', "may name"),
        ("name: small", "name: [", "YAML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, says):
    (tmp_path / "c.yaml").write_text(SMALL.replace(old, new))
    with pytest.raises((InvalidFile, UnknownName), match=says):
        load_campaign(str(tmp_path / "c.yaml"))
    with pytest.raises(UnknownName, match="vlm4vla_table1"):
        load_campaign("vlm4vla_table3")


def test_a_campaign_runs_what_it_can_and_continues(tmp_path, ray_session):
    """First the checkpoint is missing; once it is there, the same command runs only that."""
    from vlm4vla.core.specs import CameraRequest
    from vlm4vla.models import checkpoint
    from vlm4vla.models.config import VLAConfig
    from vlm4vla.models.decoders.config import MLPConfig
    from vlm4vla.models.vla import VLA
    from vlm4vla.simulators import plugin

    (tmp_path / "c.yaml").write_text(SMALL)
    told = {"VLM4VLA_STORE": str(tmp_path / "bench.db"), "OMP_NUM_THREADS": "1"}
    command = ("run", "--campaign", "c.yaml", "--checkpoints", "ck", "--episodes", 2, "--slots", 1)
    said = bench(*command, "--dry-run", cwd=tmp_path, **told)
    assert "expert on toy: can be run" in said and not Path(told["VLM4VLA_STORE"]).exists()
    said = bench(*command, cwd=tmp_path, code=1, **told)
    assert "4/4 episodes, success 100.0%" in said and "1 of 4 runs complete" in said
    assert "toy on toy: There is no checkpoint at ck/carrying/toy." in said
    assert "bench train --backbone toy --preset paper" in said
    assert said.count("no suite 'moon_landing'") == 2

    action = plugin("toy").describe({}).action
    camera = CameraRequest("top", 64, 64)
    config = VLAConfig("toy", "", action, (camera,), decoder=MLPConfig(chunk=30), scratch=True)
    checkpoint.save(VLA.build(config), tmp_path / "ck" / "carrying" / "toy")
    said = bench(*command, cwd=tmp_path, code=1, **told)
    assert "4 episodes, 4 already stored" in said and "2 of 4 runs complete" in said

    table = bench("leaderboard", "--campaign", "c.yaml", "--format", "csv", cwd=tmp_path, **told)
    rows = {(r["model"], r["column"]): r for r in csv.DictReader(io.StringIO(table))}
    assert rows["Expert", "Success"]["value"] == "1.0" and rows["Expert", "Near"]["n"] == "2"
    assert rows["Toy VLA", "Success"]["status"] == "complete"
    assert rows["Toy VLA", "Moon"]["status"] == "no suite"
    shown = bench("leaderboard", "--campaign", "c.yaml", cwd=tmp_path, **told)
    assert "ours†" in shown and "n = 4" in shown and "no suite moon_landing yet" in shown


def test_a_campaign_takes_no_single_checkpoint(tmp_path):
    said = bench("run", "--campaign", "vlm4vla_table1", "--run-id", "x", cwd=tmp_path, code=2)
    assert "--checkpoints" in said
    assert "a policy and a suite, or a campaign" in bench("run", cwd=tmp_path, code=2)
