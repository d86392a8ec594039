"""Find out how long an input of a language model may be, from its weights and its configuration."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

UNLIMITED = 10**9
"""A tokenizer without a limit says 1e30 or the like."""

CONFIGURED = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")
"""Names of the longest input in configurations; -1 and None stand for none."""

LENGTHS = (5, 7)
"""Lengths of the inputs that are tried, in tokens: two, so that no other size is both of them by chance."""

Table = tuple[int, int]
"""A table of positions: its place in memory, and the axis that positions are on."""


def longest_input(network: Any, tokenizer: Any, compute: Callable[[torch.Tensor], object]) -> int | None:
    """Return the length of the longest input that network and tokenizer take, in tokens; None without a limit.

    A network that looks positions up in a table has as many as the table has rows, less those before the first
    position: RoBERTa's begin behind the id of its padding token. One that computes them has what its
    configuration says.

    Args:
        network: A language model of transformers.
        tokenizer: Its tokenizer, of transformers.
        compute: Runs the network for token ids, (1, length).
    """
    limits = [min(tokenizer.model_max_length or UNLIMITED, UNLIMITED), *_table_limits(network, tokenizer, compute)]
    if len(limits) == 1:
        configured = (getattr(network.config, name, None) for name in CONFIGURED)
        limits += [each for each in configured if isinstance(each, int) and each > 0][:1]
    return min((int(limit) for limit in limits if 0 < limit < UNLIMITED), default=None)


def _table_limits(network: Any, tokenizer: Any, compute: Callable[[torch.Tensor], object]) -> list[int]:
    """Return the number of tokens that each table of positions has room for."""
    token = ordinary_token(network, tokenizer)
    found: list[dict[Table, int]] = []
    for length in LENGTHS:
        recorder = _TableReads([*network.parameters(), *network.buffers()], length)
        # Some need tokens that mean something, but read their tables first.
        with suppress(Exception), torch.inference_mode(), recorder:
            compute(torch.full((1, length), token, device=network.device))
        found.append(recorder.limits)
    return [min(each[table] for each in found) for table in found[0].keys() & found[1].keys()]


def ordinary_token(network: Any, tokenizer: Any) -> int:
    """Return the id of a token that is not special: padding has no position in some networks."""
    special = {*tokenizer.all_special_ids, getattr(network.config, "pad_token_id", None)}
    return next((each for each in range(len(tokenizer)) if each not in special), 0)


class _TableReads(TorchDispatchMode):
    """Records which parameters and buffers are read at a row for each token, and how many tokens they have rows for.

    As every token of the input is the same, only positions differ from token to token.
    """

    def __init__(self, tables: Sequence[torch.Tensor], length: int) -> None:
        super().__init__()
        self.limits: dict[Table, int] = {}
        self._places = {table.untyped_storage().data_ptr() for table in tables if table.numel()}
        self._length = length

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at an operator, and compute it."""
        name = func.overloadpacket.__name__
        if name == "embedding":
            self._look_up(args[0], 0, args[1])
        elif name in ("index_select", "gather"):
            self._look_up(args[0], args[1], args[2])
        elif name == "index" and args[1][0] is not None:
            self._look_up(args[0], 0, args[1][0])
        elif name == "slice" and len(args) == 4:
            table, axis, start, end = args
            if min(end, table.shape[axis]) - start == self._length:
                self._record(table, axis, start)
        return func(*args, **(kwargs or {}))

    def _look_up(self, table: torch.Tensor, axis: int, indices: torch.Tensor) -> None:
        if indices.dtype not in (torch.int32, torch.int64) or not self._is_table(table):
            return
        rows = indices.unique(dim=0).tolist() if indices.dim() == 2 else [indices.tolist()]
        if indices.dim() in (1, 2) and len(rows) == 1 and len(rows[0]) >= self._length:
            tokens = rows[0][: self._length]  # some networks add padding of their own
            if tokens == list(range(tokens[0], tokens[0] + self._length)):
                self._record(table, axis, tokens[0])

    def _record(self, table: torch.Tensor, axis: int, start: int) -> None:
        if self._is_table(table):
            self.limits[table.untyped_storage().data_ptr(), axis] = table.shape[axis] - start

    def _is_table(self, tensor: torch.Tensor) -> bool:
        return tensor.numel() > 0 and tensor.untyped_storage().data_ptr() in self._places
