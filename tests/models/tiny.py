"""Checkpoints of the true classes with a few hundred thousand random numbers, made in a second.

python -m tests.models.tiny qwen3vl-4b FOLDER
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = [
    "<pad>", "<unk>", "<s>", "</s>", "<bos>", "<image>", "</image>", "<phrase>", "</phrase>",
    "<image_pad>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
CORPUS = [
    "You are a helpful assistant. What action should the robotic arm take to put the cube on the",
    "system user assistant pick up the red block and place it in the drawer, then open the door",
]
WIDTH, VOCABULARY = 64, 512


def tokenizer() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            show_progress=False,
            special_tokens=SPECIAL,
            initial_alphabet=alphabet,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", bos_token="<s>",
        eos_token="</s>",
    )  # fmt: skip


def _text(**more: object) -> dict[str, object]:
    return {
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "max_position_embeddings": 2048, "pad_token_id": 0,
        "bos_token_id": 2, "eos_token_id": 3,
    } | more  # fmt: skip


def _qwen3(moe: bool) -> dict[str, object]:
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [2, 3, 3],
            "mrope_interleaved": True}  # fmt: skip
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
               "decoder_sparse_step": 1, "mlp_only_layers": []}  # fmt: skip
    return {
        "text_config": _text(rope_parameters=rope, num_hidden_layers=3, **(experts if moe else {})),
        "vision_config": {
            "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 48,
            "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "out_hidden_size": WIDTH, "deepstack_visual_indexes": [0, 1],
            "num_position_embeddings": 256,
        },
    }  # fmt: skip


def _qwen25() -> dict[str, object]:
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
    return {
        "text_config": _text(rope_parameters=rope),
        "vision_config": {
            "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 48,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "out_hidden_size": WIDTH, "fullatt_block_indexes": [1], "window_size": 112,
        },
    }  # fmt: skip


def _paligemma(text: str) -> dict[str, object]:
    more = {"query_pre_attn_scalar": 16, "sliding_window": 4096} if text == "gemma2" else {}
    return {
        "text_config": _text(model_type=text, **more),
        "vision_config": {
            "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14, "image_size": 56,
            "vision_use_head": False, "projection_dim": WIDTH,
        },
        "projection_dim": WIDTH,
        "hidden_size": WIDTH,
    }  # fmt: skip


def _kosmos() -> dict[str, object]:
    return {
        "text_config": {
            "vocab_size": VOCABULARY, "embed_dim": WIDTH, "layers": 2, "ffn_dim": 96,
            "attention_heads": 4, "max_position_embeddings": 512, "pad_token_id": 0,
            "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0,
        },
        "vision_config": {
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "patch_size": 14, "image_size": 56,
        },
        "latent_query_num": 8,
    }  # fmt: skip


CONFIGS = {
    "qwen2.5vl-3b": ("Qwen2_5_VL", _qwen25),
    "qwen3vl-4b": ("Qwen3VL", lambda: _qwen3(False)),
    "qwen3vl-30b-a3b": ("Qwen3VLMoe", lambda: _qwen3(True)),
    "paligemma-1": ("PaliGemma", lambda: _paligemma("gemma")),
    "paligemma-2": ("PaliGemma", lambda: _paligemma("gemma2")),
    "kosmos-2": ("Kosmos2", _kosmos),
}
"""One backbone of each class -> name stem of its transformers classes, configuration."""
OPTIONS = {name: {"min_pixels": 56 * 56} if name.startswith("qwen") else {} for name in CONFIGS}
"""Small pictures: few tokens, quick tests."""


@cache
def config(name: str) -> transformers.PretrainedConfig:
    stem, settings = CONFIGS[name]
    kind = "Qwen2_5_VLConfig" if stem == "Qwen2_5_VL" else f"{stem}Config"
    made = getattr(transformers, kind)(**settings())
    ids = tokenizer()
    made.image_token_id = ids.convert_tokens_to_ids("<|image_pad|>")
    made.video_token_id = ids.convert_tokens_to_ids("<|video_pad|>")
    made.vision_start_token_id = ids.convert_tokens_to_ids("<|vision_start|>")
    made.vision_end_token_id = ids.convert_tokens_to_ids("<|vision_end|>")
    return made


def make(name: str, folder: Path) -> Path:
    """Save a tiny model of the backbone's class, and its tokenizer, as the hub would hold them."""
    torch.manual_seed(0)
    stem = CONFIGS[name][0]
    model = getattr(transformers, f"{stem}ForConditionalGeneration")(config(name))
    with torch.no_grad():  # away from zero and one, so that every part shows in the output
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


if __name__ == "__main__":
    print(make(sys.argv[1], Path(sys.argv[2])))
