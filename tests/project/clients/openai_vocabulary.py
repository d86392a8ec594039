# /// script
# dependencies = ["litellm==1.110.2"]
# ///
"""Write OpenAI's vocabulary cl100k_base as a tokenizer.json that decodes: `openai_vocabulary.py FILE`."""

import base64
import sys
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel
from tokenizers.models import BPE

CL100K_BASE = "litellm_core_utils/tokenizers/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""The file of tiktoken, by the hash of its address."""


def letters() -> dict[int, str]:
    """Return how byte-level tokenizers write each byte: as itself if it is printed, otherwise from U+0100 on."""
    printed = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    return {byte: chr(byte) for byte in printed} | {byte: chr(0x100 + at) for at, byte in enumerate(others)}


def main(target: str) -> None:
    """Write the tokenizer without merges, which decoding does not need."""
    known = letters()
    vocabulary = {}
    for line in (Path(find_spec("litellm").origin).parent / CL100K_BASE).read_text("ascii").splitlines():
        token, rank = line.split()
        vocabulary["".join(known[byte] for byte in base64.b64decode(token))] = int(rank)
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.decoder = ByteLevel()
    tokenizer.save(target)


if __name__ == "__main__":
    main(sys.argv[1])
