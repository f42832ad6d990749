"""The published tables: readable, and every mismatch in them flagged, no more and no fewer."""

from collections import defaultdict

import numpy as np
import pytest

from vlm4vla.core.errors import InvalidFile, MissingAsset
from vlm4vla.core.files import shipped
from vlm4vla.store.published import (
    backbone_of,
    backbones,
    family_of,
    published,
    read_published,
    vqa_scores,
)

ARITHMETIC = {"sum", "mean", "rounding", "granularity", "truncated", "unreachable"}
TABLES = sorted({(row.source, row.table) for row in published()})


def found(**wanted):
    return [r for r in published() if all(getattr(r, k) == v for k, v in wanted.items())]


def setting(row):
    return (row.source, row.table, row.model, row.variant, row.suite, row.training_split)


def half_digit(row, digits=0.51):
    decimals = len(row.printed.partition(".")[2])
    return digits * 10.0**-decimals


def printed(row):
    return float(row.printed)


def test_chain_rates_add_up_to_length_except_where_flagged():
    chains = defaultdict(dict)
    for row in published():
        if row.metric in {"length", *(f"sr{i}" for i in range(1, 6))} and row.printed:
            assert row.metric not in chains[setting(row)]
            chains[setting(row)][row.metric] = row
    whole = {key: rows for key, rows in chains.items() if len(rows) == 6}
    assert len(whole) == 105
    for key, rows in whole.items():
        rates = [printed(rows[f"sr{i}"]) for i in range(1, 6)]
        off = abs(sum(rates) - printed(rows["length"])) > 0.0056
        assert off == ("sum" in rows["length"].flags), key
        unordered = [rates[i] > rates[i - 1] for i in range(1, 5)]
        assert [("typo" in rows[f"sr{i}"].flags) for i in range(2, 6)] == unordered, key


def test_task_rates_average_to_the_printed_mean_except_where_flagged():
    groups = defaultdict(list)
    for row in published():
        if row.metric in ("success", "grasped") and row.printed and "conditional" not in row.flags:
            groups[(*setting(row), row.metric)].append(row)
    checked = 0
    for key, rows in groups.items():
        parts = {row.task: printed(row) for row in rows}
        means = [(row, [v for task, v in parts.items() if task != "all"])
                 for row in rows if row.task == "all"]  # fmt: skip
        means += [
            (row, [v for task, v in parts.items() if task.startswith(group) and task != row.task])
            for row in rows
            for group in [row.task.removesuffix(" average")]
            if row.task != group
        ]
        for row, values in means:
            if len(values) > 1:
                checked += 1
                # Fractions are averages of averages, so that parts and mean may each be rounded.
                slack = half_digit(row, 0.6 if row.unit == "percent" else 1.1)
                off = abs(np.mean(values) - printed(row)) > slack
                assert off == bool({"mean", "rounding"} & set(row.flags)), (key, row.task)
    assert checked > 50


def test_rates_are_counts_of_their_trials_except_where_flagged():
    checked = 0
    for row in published():
        if row.metric not in ("success", "grasped") or row.n is None or not row.printed:
            continue
        scale = {"percent": 100, "fraction": 1}[row.unit]
        nearest = round(printed(row) / scale * row.n) / row.n * scale
        off = abs(nearest - printed(row)) > half_digit(row)
        checked += 1
        known = {"granularity", "truncated", "unreachable", "rounding"} & set(row.flags)
        if not off and known:
            assert row.model == "pi0*", row  # said to be of 240 trials, yet of 24
        else:
            assert off == bool(known), row
    assert checked > 300


def test_spreads_of_the_emoji_task_are_population_deviations():
    for split in ("id", "train", "val"):
        for metric in ("execution", "recognition"):
            rows = found(suite=f"grinningface_{split}", metric=metric)
            seeds = [printed(row) for row in rows if row.variant.startswith("eval seed")]
            assert len(seeds) == 5
            mean = next(row for row in rows if row.variant.startswith("mean"))
            assert abs(np.mean(seeds) - printed(mean)) < 0.051
            (spread,) = found(suite=f"grinningface_{split}", metric=f"{metric}_sd")
            off = abs(np.std(seeds) - printed(spread)) > 0.051
            assert off == ("rounding" in spread.flags)


@pytest.mark.parametrize(
    ("table", "model", "suite", "metric", "value", "n"),
    [
        ("Table 1", "Qwen3VL-2B", "calvin_abcd", "length", 4.142, 1000),
        ("Table 2", "KosMos-2", "simpler_bridge", "success", 0.604, 96),
        ("Table 2", "Qwen3VL-4B", "libero_10", "success", 0.444, 500),
        ("App. A.4", "9 VLMs", "calvin_abcd", "pearson", 0.839, 9),
        ("App. A.4", "9 VLMs", "simpler_bridge", "pearson", -0.358, 9),
        ("App. A.4", "9 VLMs", "libero_10", "pearson", -0.194, 9),
        ("Table 1", "Freezing VLM", "real_grinningface_val", "recognition", 0.7143, 28),
    ],
)
def test_rows_say_what_the_paper_prints(table, model, suite, metric, value, n):
    (row,) = found(table=table, model=model, suite=suite, metric=metric, task="all")
    assert row.value == pytest.approx(value) and row.n == n


def test_every_paper_and_table_is_there_with_its_source():
    assert len({source for source, _ in TABLES}) == 4
    assert all(row.source and row.table for row in published())
    assert {row.backbone for row in published()} <= {one.key for one in backbones()} | {""}
    assert all(row.note for row in published() if row.flags)


def test_recognition_counts_executed_trials_only():
    (row,) = found(suite="grinningface_id", metric="recognition", variant="eval seed 1")
    assert (row.value, row.n) == (0.81, 94)


def test_nine_backbones_have_a_place_in_figure_3():
    rows = [s for s in vqa_scores() if s.benchmark == "VLM4VLA general capability (Fig. 3 x-axis)"]
    assert len(rows) == 9 and len({row.backbone for row in rows}) == 9
    assert {row.backbone for row in rows if "down-weighted" in row.flags} == {
        "kosmos-2", "paligemma-1", "paligemma-2",
    }  # fmt: skip


def test_scores_of_one_benchmark_are_on_one_scale():
    ocr = {s.model: s.value for s in vqa_scores() if s.benchmark == "OCRBench" and s.printed}
    assert ocr["Qwen3-VL-2B-Instruct"] == pytest.approx(0.858)  # printed 858 of 1000
    assert ocr["PaliGemma"] == pytest.approx(0.464)  # printed 46.4 %


def test_names_of_one_backbone():
    for name in ("Qwen3VL-4B", "Qwen3-VL-4B-Instruct", "QWEN/qwen3-vl-4b-instruct", "qwen3vl-4b"):
        assert backbone_of(name) == "qwen3vl-4b"
    assert backbone_of("/models/Qwen3-VL-4B-Instruct") == "qwen3vl-4b"
    assert backbone_of("expert") == ""
    assert family_of("paligemma-2") == "PaliGemma" and family_of("mine") == "mine"
    names = [name for one in backbones() for name in (one.key, *one.names)]
    assert len({n.casefold() for n in names}) >= len(names) - len(backbones())


def test_a_wrong_line_is_named(tmp_path):
    good = (shipped("results") / "published.csv").read_text().splitlines()[:3]
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([*good[:2], good[2].replace("0.644", "about two thirds")]) + "\n")
    with pytest.raises(InvalidFile, match=r"line 3: value"):
        read_published(bad)
    with pytest.raises(MissingAsset):
        read_published(tmp_path / "none.csv")
