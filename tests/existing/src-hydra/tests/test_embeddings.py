import pytest
from hydra import compose, initialize_config_module

from paratope.embeddings import Embedder, check


@pytest.fixture(scope="module")
def embedder():
    with initialize_config_module("paratope.conf", version_base="1.3"):
        cfg = compose("train", overrides=["model=tiny"])
    return Embedder(cfg.model, "cpu", cfg.seed)


@pytest.mark.unit
@pytest.mark.parametrize("bad", ["", "EVQ1", "MKT*"])
def test_refuses_what_is_no_protein(bad):
    with pytest.raises(ValueError):
        check(bad)


def test_padding_does_not_change_an_embedding(embedder):
    alone = embedder(["EVQLVESGG"])[0]
    together = embedder(["EVQLVESGG", "EVQLVESGGGLVQPGGSLRLSCAAS"])[0]
    assert together == pytest.approx(alone, abs=1e-4)


def test_one_row_a_sequence(embedder):
    assert embedder(["EVQ", "QVQ", "DIQ"] * 5).shape == (15, 32)
