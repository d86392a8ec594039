"""What is learned: the labels of images. How an example is encoded, and what a model is judged by."""

from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoImageProcessor, AutoModelForImageClassification, default_data_collator

from .classes import Labels, accuracy
from .images import open_image
from .predictor import InvalidInput
from .recipe import Recipe
from .torch_model import load

METRIC = "accuracy"
HIGHER_IS_BETTER = True


class Training(Recipe):
    """How to train, and on which columns."""

    COLUMNS = ("image", "label")

    image: str = "image"
    label: str = "label"


class Learner:
    """A model that learns, or is judged, with all that a Trainer wants to know of it."""

    def __init__(self, folder: Path, training: Training, examples: Dataset, learns: bool = True) -> None:
        """Raises ModelUnavailable, and InvalidInput where the examples do not fit."""
        self.place = Path(training.data or "").parent
        self.labels = Labels(examples)
        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.network = self.labels.load_network(AutoModelForImageClassification, folder, learns)
        self.collate = default_data_collator
        self.measure = accuracy

    def encode(self, batch: dict[str, list[Any]]) -> dict[str, Any]:
        """What the network takes, of examples to learn from. Raises InvalidInput for a file that is no image."""
        images = [self._open(image) for image in batch["image"]]
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        return {"pixel_values": pixels, "labels": [self.labels.number(label) for label in batch["label"]]}

    encode_to_judge = encode

    def _open(self, image: Any) -> Any:
        """An image of an example: the bytes of a file, or its path, which begins where the file of examples is."""
        given = image if isinstance(image, dict) else {"bytes": image} if isinstance(image, bytes) else {"path": image}
        try:
            return open_image(given.get("bytes") or (self.place / given["path"]).read_bytes())
        except (InvalidInput, OSError) as error:
            raise InvalidInput(f"{given.get('path') or 'an image of the examples'}: {error}") from None

    def save(self, folder: Path) -> None:
        """Writes the model, as it is to be published."""
        self.network.save_pretrained(folder)
        self.processor.save_pretrained(folder)
