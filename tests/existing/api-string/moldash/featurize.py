import re

import torch

ATOMS = ["C", "N", "O", "F", "S", "P", "Cl", "Br", "I"]
TOKEN = re.compile(r"Cl|Br|[BCNOFSPI]|[bcnops]|[()\[\]=#@+\-/\\%.0-9H]")


class BadSmiles(ValueError):
    pass


def featurize(smiles: str) -> torch.Tensor:
    """Counts of atoms, rings and brackets. Crude, but quick."""
    tokens = TOKEN.findall(smiles)
    if not tokens or "".join(tokens) != smiles:
        raise BadSmiles(f"cannot read {smiles!r}")
    counts = [sum(t == atom or t.capitalize() == atom for t in tokens) for atom in ATOMS]
    aromatic = sum(t in "cnops" for t in tokens)
    rings = sum(t.isdigit() for t in tokens) // 2
    branches = tokens.count("(")
    return torch.tensor([*counts, aromatic, rings, branches], dtype=torch.float32)
