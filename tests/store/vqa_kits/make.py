"""Write the files beside this one with the kits' own writers: `python make.py OUT`.

Run it where `vlmeval` (VLMEvalKit) and `lmms_eval` can be imported. Questions, answers and
predictions are made up here; what is scored, laid out, named and written is the kits' own.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from lmms_eval.loggers.evaluation_tracker import EvaluationTracker
from lmms_eval.utils import hash_string
from vlmeval.dataset.utils.multiple_choice import report_acc
from vlmeval.dataset.utils.yorn import MME_rating, POPE_rating, VSR_rating
from vlmeval.smp.file import dump, get_intermediate_file_path, load
from vlmeval.smp.misc import d2df

PERCEPTION = ("OCR artwork celebrity color count existence landmark position posters scene").split()
REASONING = "code_reasoning commonsense_reasoning numerical_calculation text_translation".split()
SIDES = {"before": {1, 2, 3, 4, 5, 6, 7, 8, 9}, "after": {2, 4, 6, 7, 10}}
"""Which of twelve questions a model answers rightly."""


def questions(category=lambda i: ""):
    return [
        {"index": i, "question": f"Is card {i} red?", "answer": "Yes" if i % 2 else "No",
         "category": category(i), "image_path": f"{i // 2}.png"}
        for i in range(1, 13)
    ]  # fmt: skip


def answered(rows, right):
    other = {"Yes": "No", "No": "Yes"}
    said = [row["answer"] if row["index"] in right else other[row["answer"]] for row in rows]
    frame = pd.DataFrame(rows)
    return frame.assign(prediction=said, extracted=said, score=frame["answer"] == said)


def yes_or_no(folder, dataset, rows, right, rating):
    eval_file = str(folder / f"{folder.name}_{dataset}.xlsx")
    frame = answered(rows, right)
    dump(frame.drop(columns=["extracted", "score"]), eval_file)
    storage = get_intermediate_file_path(eval_file, "_auxmatch")
    dump(frame, storage)
    dump(rating(storage), get_intermediate_file_path(eval_file, "_score", "csv"))


def multiple_choice(folder, dataset, right):
    eval_file = str(folder / f"{folder.name}_{dataset}.xlsx")
    frame = answered(questions(lambda i: ["math", "logic"][i % 2]), right)
    frame = frame.assign(split="none", hit=frame.pop("score").astype(int), log="").drop(
        columns="extracted"
    )
    dump(frame.drop(columns=["hit", "log"]), eval_file)
    record = get_intermediate_file_path(eval_file, "_exact_matching_result")
    dump(frame, record)
    dump(report_acc(load(record)), get_intermediate_file_path(eval_file, "_acc", "csv"))


def open_answers(folder, dataset, scores):
    eval_file = str(folder / f"{folder.name}_{dataset}.xlsx")
    frame = pd.DataFrame(questions()).assign(prediction="red", eval_score=scores)
    dump(frame, get_intermediate_file_path(eval_file, "_results"))
    overall = d2df({"Overall": np.mean(scores) * 100})
    dump(overall, get_intermediate_file_path(eval_file, "_acc"))


def lmms(out, side, right):
    tracker = EvaluationTracker(output_path=str(out))
    arguments = f"pretrained=ours/{side}"
    tracker.general_config_tracker.log_experiment_args("qwen2_5_vl", arguments, "", "", False)
    rows = questions()
    samples = []
    for row in rows:
        hit = float(row["index"] in right)
        part = {"question_id": row["index"], "score": hit}
        samples.append({
            "doc_id": row["index"], "doc": row, "target": row["answer"],
            "arguments": [row["question"]], "resps": [["red"]], "filtered_resps": ["red"],
            "doc_hash": hash_string(json.dumps(row, indent=2, ensure_ascii=False)),
            "pope_accuracy": part, "pope_f1_score": part,
        })  # fmt: skip
    accuracy = len(right) / len(rows)
    results = {
        "results": {
            "pope": {"alias": "pope", "pope_accuracy,none": accuracy,
                     "pope_accuracy_stderr,none": "N/A", "pope_f1_score,none": 0.5,
                     "pope_f1_score_stderr,none": "N/A"},
            "mme": {"alias": "mme", "mme_cognition_score,none": 300.0,
                    "mme_cognition_score_stderr,none": "N/A", "mme_perception_score,none": 1200.5,
                    "mme_perception_score_stderr,none": "N/A"},
            "mmbench_en_dev": {"alias": "mmbench_en_dev", "gpt_eval_score,none": 0.8,
                               "gpt_eval_score_stderr,none": "N/A", "submission,none": []},
        },
        "versions": {"mmbench_en_dev": 0.0, "mme": 0.0, "pope": 0.0},
        "n-samples": {"pope": {"original": 9000, "effective": len(rows)},
                      "mme": {"original": 2374, "effective": 2374},
                      "mmbench_en_dev": {"original": 4329, "effective": 4329}},
        "config": {"model": "qwen2_5_vl", "model_args": arguments},
        "lmms_eval_version": "0.7.3",
    }  # fmt: skip
    day = {"before": "1", "after": "2"}[side]
    tracker.save_results_aggregated(results, {"pope": samples}, f"2026010{day}_000000")
    tracker.save_results_samples("pope", samples)


def make(out):
    for side, right in SIDES.items():
        folder = out / side
        folder.mkdir(parents=True, exist_ok=True)
        pope = questions(lambda i: ["adversarial", "popular", "random"][i % 3])
        yes_or_no(folder, "POPE", pope, right, POPE_rating)
        yes_or_no(folder, "VSR-zeroshot", questions(), right, VSR_rating)
        multiple_choice(folder, "MMStar", right)
        open_answers(folder, "TextVQA_VAL", [0.3 if i in right else 0.0 for i in range(1, 13)])
        lmms(out, side, right)
    names = [*PERCEPTION, *REASONING]
    mme = [
        {"index": 2 * i + j, "question": f"Is it {name} ({j})?", "answer": ["Yes", "No"][j],
         "category": name, "image_path": f"{i}.png"}
        for i, name in enumerate(names) for j in (0, 1)
    ]  # fmt: skip
    yes_or_no(out / "before", "MME", mme, set(range(0, 28, 2)) | {1, 3, 5}, MME_rating)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
