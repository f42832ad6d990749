"""What our adapter adds to a model's own forward pass: actions/s of both, side by side.

    python -m tests.perf.adapter                           # a tiny Qwen3-VL on a CPU
    python -m tests.perf.adapter --size 4b --device cuda   # Qwen3-VL-4B's shape, random weights

`bare` is transformers' forward pass on inputs that lie ready on the device. `policy` is everything
that `bench run` does with observations: stacking, tokenising, transfer, resizing and normalising
the pictures, the backbone, the head, undoing the normalisation, and the way back to numpy. Rounds
of the two alternate; medians are compared. Exit 1 if the policy costs more than a tenth.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionPatchEmbed

from tests.models import tiny
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import ActionSpec, CameraRequest
from vlm4vla.models.config import Setup, VLAConfig
from vlm4vla.models.decoders.config import MLPConfig
from vlm4vla.models.qwen import Qwen3VL
from vlm4vla.models.vla import VLA
from vlm4vla.policies.vla import VLAPolicy

BAR = 0.10
CHUNK = 10
INSTRUCTION = "pick up the red block and place it in the drawer"


class InMemory(VLAPolicy):
    """The policy around a model that was never saved."""

    def __init__(self, model: VLA) -> None:
        self._model, self._cameras, self._alone = model, ["top"], False


def shape_of_4b() -> transformers.Qwen3VLConfig:
    """Qwen3-VL-4B-Instruct: 4.4 billion parameters (a test counts them)."""
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20],
            "mrope_interleaved": True}  # fmt: skip
    text = {
        "vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728,
        "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "max_position_embeddings": 262144, "rope_parameters": rope,
        "tie_word_embeddings": True,
    }  # fmt: skip
    vision = {
        "depth": 24, "hidden_size": 1024, "num_heads": 16, "intermediate_size": 4096,
        "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
        "out_hidden_size": 2560, "deepstack_visual_indexes": [5, 11, 17],
        "num_position_embeddings": 2304,
    }  # fmt: skip
    made = transformers.Qwen3VLConfig(text_config=text, vision_config=vision)
    made.tie_word_embeddings = True
    made.image_token_id = tiny.config("qwen3vl-4b").image_token_id
    return made


def build(size: str, device: str) -> VLA:
    """A VLA with random weights: bfloat16 on a GPU."""
    shape = shape_of_4b() if size == "4b" else tiny.config("qwen3vl-4b")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    try:
        with torch.device(device):
            network = transformers.Qwen3VLForConditionalGeneration(shape)
    finally:
        torch.set_default_dtype(before)
    cameras = (CameraRequest("top", 224, 224),)
    config = VLAConfig("qwen3vl-4b", "", ActionSpec(), cameras, decoder=MLPConfig(chunk=CHUNK))
    return VLA(config, Qwen3VL(Setup(), network, tiny.tokenizer())).to(device).eval()


def bare(model: VLA, frames: np.ndarray) -> Callable[[], object]:
    """The model's own forward pass, its inputs prepared and waiting on the device."""
    backbone = model.backbone
    assert isinstance(backbone, Qwen3VL)
    patches, grid = backbone.patches(torch.from_numpy(frames).to(model.device))
    tubes = patches.reshape(len(patches), 3, 1, -1).expand(-1, -1, 2, -1).flatten(1)
    text = model.prepare(frames[:1], [INSTRUCTION])
    tokens = [backbone.model.config.image_token_id] * (grid // 2) ** 2
    row = [*text["before"][0].tolist(), *tokens, *text["after"][0].tolist()]
    ids = torch.tensor([row] * len(frames), device=model.device)
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == tokens[0]).int(),
        "pixel_values": tubes.to(backbone.dtype),
        "image_grid_thw": torch.tensor([[1, grid, grid]] * len(frames), device=model.device),
        "use_cache": False,
    }
    visual = backbone.model.model.visual
    ours, theirs = visual.patch_embed, _own_patch_embed(backbone)

    def call() -> object:
        visual.patch_embed = theirs
        states = backbone.model.model(**inputs)
        visual.patch_embed = ours
        return states

    return call


def _own_patch_embed(backbone: Qwen3VL) -> torch.nn.Module:
    """The module that the backbone replaced by a quicker one, around the same weights."""
    vision = backbone.model.config.vision_config
    with torch.device("meta"):
        module = Qwen3VLVisionPatchEmbed(vision)
    module.proj = backbone.model.model.visual.patch_embed.proj
    return module


def seconds(call: Callable[[], object], times: int) -> float:
    """Seconds of one call, the mean of `times`: wall time on a GPU, CPU time on a CPU.

    One thread's CPU time is its wall time on an idle machine; on a busy one it leaves the
    neighbours out.
    """
    on_gpu = torch.cuda.is_available()
    clock = time.perf_counter if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.synchronize()
    start = clock()
    for _ in range(times):
        call()
    if on_gpu:
        torch.cuda.synchronize()
    return (clock() - start) / times


def compare(model: VLA, batch: int, rounds: int, span: float) -> dict[str, float]:
    """Medians over rounds that alternate between the two."""
    frames = np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), dtype=np.uint8)
    policy = InMemory(model)
    seen = [Observation(INSTRUCTION, 0, {"top": frame[None]}) for frame in frames]
    sessions = [Session(EpisodeKey("perf", "none", number)) for number in range(batch)]
    contestants = {"bare": bare(model, frames), "policy": lambda: policy.act(seen, sessions)}
    taken: dict[str, list[float]] = {"bare": [], "policy": []}
    with torch.inference_mode():
        times = max(1, round(span / max(map(lambda call: seconds(call, 2), contestants.values()))))
        for _ in range(rounds):
            for name, call in contestants.items():
                taken[name].append(seconds(call, times))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "batch": batch,
        "bare_actions_s": batch * CHUNK / medians["bare"],
        "policy_actions_s": batch * CHUNK / medians["policy"],
        "cost": statistics.median(p / b for p, b in zip(*reversed(taken.values()), strict=True))
        - 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["tiny", "4b"], default="tiny")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round")
    parser.add_argument("--compile", action="store_true", help="torch.compile the backbone")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # as the policy server does on a CPU
    model = build(arguments.size, arguments.device)
    if arguments.compile:
        model.backbone.compile()
    place = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU, 1 thread"
    millions = sum(parameter.numel() for parameter in model.backbone.parameters()) / 1e6
    print(f"{millions:,.1f} M parameters on {place}; {CHUNK} actions a chunk")
    print(f"{'batch':>5} {'bare actions/s':>16} {'policy actions/s':>17} {'cost':>7}")
    found = []
    for batch in arguments.batch:
        row = compare(model, batch, arguments.rounds, arguments.seconds)
        found.append(row)
        print(
            f"{batch:5d} {row['bare_actions_s']:16,.1f} {row['policy_actions_s']:17,.1f} "
            f"{row['cost']:7.1%}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"device": place, "rows": found}, indent=1) + "\n")
    sys.exit(0 if all(row["cost"] <= BAR for row in found) else 1)


if __name__ == "__main__":
    main()
