"""What the backbones of the transformers library share: loading, saving, tokens, freezing.

The sequence is `before` image `after` ActionQuery. `before` is the same for every instruction, so
the image stands at a fixed place and the sequence is a concatenation, without searching for
placeholder tokens.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoTokenizer

from vlm4vla.core.errors import MissingAsset
from vlm4vla.models.backbone import Backbone
from vlm4vla.models.config import PARTS, Part, Setup
from vlm4vla.models.manifest import CheckpointMismatch
from vlm4vla.models.reading import Frames, Inputs, Reading
from vlm4vla.models.registry import locate

_REMEMBERED = 4096  # instructions whose tokens are kept
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the pixels that OpenAI's CLIP was trained on."""
LLAMA = r".*language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
"""The linear layers of language models that are built as Llama is."""


class HubBackbone(Backbone):
    """A vision-language model of the transformers library.

    A subclass names its class, lays out the prompt and joins the pieces in `embed_and_run`.
    """

    architecture: ClassVar[str]
    """The class in transformers, which must also stand in the folder's config."""
    model_types: ClassVar[tuple[str, ...]]
    mean: ClassVar[Sequence[float]] = (0.5, 0.5, 0.5)
    std: ClassVar[Sequence[float]] = (0.5, 0.5, 0.5)
    """Of the pixels in [0, 1] that the vision encoder was trained on."""
    parts = PARTS

    def __init__(self, setup: Setup, model: nn.Module, tokenizer: Any) -> None:
        """Wire a model and its tokenizer; use `load` instead."""
        super().__init__(setup)
        self.model: Any = model
        self.tokenizer = tokenizer
        self.hidden_size = int(self.embeddings.weight.shape[1])
        self._before = self.tokens(self.prompt_before())
        used = {id(parameter) for part in self.parts for parameter in self.part(part)}
        for parameter in self.model.parameters():
            if id(parameter) not in used:
                parameter.requires_grad_(False)  # the vocabulary's output layer: never asked

    @classmethod
    def load(
        cls,
        source: str | Path,
        setup: Setup,
        *,
        scratch: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """See Backbone.load."""
        folder = locate(source)
        kind = getattr(transformers, cls.architecture)
        with _quiet():
            try:
                config = AutoConfig.from_pretrained(folder, local_files_only=True)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            except (OSError, ValueError, KeyError) as error:
                raise MissingAsset(f"{folder} is not a complete model: {_line(error)}") from error
            if config.model_type not in cls.model_types:
                raise CheckpointMismatch(
                    f"{folder} holds a {config.model_type}, not a {' or '.join(cls.model_types)}."
                )
            model = kind(config).to(dtype) if scratch else _pretrained(kind, folder, dtype)
        return cls(setup, model, tokenizer)

    def save(self, folder: Path, *, weights: bool = True) -> None:
        """As `save_pretrained` writes it, so that transformers itself can read it."""
        self.tokenizer.save_pretrained(folder)
        if weights:
            state = {n.removeprefix("model."): t for n, t in self.plain_state().items()}
            with _quiet():
                self.model.save_pretrained(folder, state_dict=state)
        else:
            self.model.config.save_pretrained(folder)

    @abstractmethod
    def prompt_before(self) -> str:
        """The text in front of the image."""

    @abstractmethod
    def prompt_after(self, instruction: str) -> str:
        """The text behind the image; the ActionQuery follows it."""

    @abstractmethod
    def embed_and_run(self, images: Tensor, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states of the whole sequence.

        Args:
            images: uint8 (B, S, S, 3).
            before: embeddings (B, P, hidden).
            after: embeddings (B, Q, hidden), the ActionQuery among them.
            mask: bool (B, Q), True for text and ActionQuery.

        Returns:
            (B, P + image tokens + Q, hidden).
        """

    def tokens(self, text: str) -> list[int]:
        """Token ids of a prompt that spells its special tokens out."""
        return _tokens(self.tokenizer, text)

    @property
    def embeddings(self) -> nn.Embedding:
        """The table of word embeddings."""
        table: nn.Embedding = self.model.get_input_embeddings()
        return table

    @property
    def flat(self) -> bool:
        """Positions count padding, and the ActionQuery stands behind it."""
        return self.setup.mrope == "flat"

    def prepare(self, images: Frames, instructions: Sequence[str]) -> Inputs:
        """See Backbone.prepare; pads are on the right of the text behind the image."""
        texts = [self.tokens(self.prompt_after(said.strip())) for said in instructions]
        # The longest has a place behind it for the ActionQuery.
        after = pad_sequence([torch.tensor([*text, 0]) for text in texts], batch_first=True)
        length = torch.tensor([len(text) for text in texts])
        query = torch.full_like(length, int(length.max())) if self.flat else length
        place = torch.arange(after.shape[1])
        mask = (place < length[:, None]) | (place == query[:, None])
        before = torch.tensor(self._before, dtype=torch.long).expand(len(texts), -1)
        frames = torch.from_numpy(images)
        return {"images": frames, "before": before, "after": after, "mask": mask, "query": query}

    def forward(self, inputs: Inputs, queries: Tensor) -> Reading:
        """See Backbone.forward."""
        (query,) = queries
        at, rows = inputs["query"], torch.arange(len(inputs["query"]), device=query.device)
        here = torch.zeros_like(inputs["mask"])
        here[rows, at] = True
        text = self.embeddings(inputs["after"])
        after = torch.where(here[..., None], query.to(text.dtype), text)
        states = self.embed_and_run(
            inputs["images"], self.embeddings(inputs["before"]), after, inputs["mask"]
        )
        first = states.shape[1] - after.shape[1]
        return Reading(states[rows, first + at][:, None])

    @staticmethod
    def whole(mask: Tensor, length: int) -> Tensor:
        """The mask (B, Q) of the text behind the image, for the sequence: long (B, length)."""
        return functional.pad(mask.long(), (length - mask.shape[1], 0), value=1)

    @property
    @abstractmethod
    def towers(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """The vision encoder and the modules that project from it, and the language model."""

    def part(self, part: Part) -> Iterable[nn.Parameter]:
        """See Backbone.part. The vocabulary's output layer belongs to none."""
        if part == "word_embeddings":
            return list(self.embeddings.parameters())
        (vision, *projecting), language = self.towers
        projector = [p for module in projecting for p in module.parameters()]
        if part == "projector":
            return projector
        others = {id(p) for p in (*projector, *self.embeddings.parameters())}
        tower = vision if part == "vision" else language
        return [p for p in tower.parameters() if id(p) not in others]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.embeddings.weight.dtype


@lru_cache(_REMEMBERED)
def _tokens(tokenizer: Any, text: str) -> list[int]:
    """An episode asks with the same instruction again and again."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def _pretrained(kind: Any, folder: Path, dtype: torch.dtype) -> nn.Module:
    """The weights, all of them: what is missing must not be filled with random numbers."""
    try:
        model, told = kind.from_pretrained(
            folder, local_files_only=True, dtype=dtype, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingAsset(
            f"The weights in {folder} cannot be loaded: {_line(error)}",
            "If the download was cut short: hf download, again.",
        ) from error
    wrong = dict.fromkeys(told["missing_keys"], "missing")
    wrong |= {str(key): "of another shape" for key in told.get("mismatched_keys", ())}
    for name, how in sorted(wrong.items()):
        raise CheckpointMismatch(f"The weights in {folder} do not fit: {name} is {how}.")
    loaded: nn.Module = model
    return loaded


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and advice off the terminal for a while."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
