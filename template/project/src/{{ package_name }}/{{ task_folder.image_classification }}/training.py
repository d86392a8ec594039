"""Training of an image classifier: how examples are encoded, and the metric that decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoImageProcessor, AutoModelForImageClassification, EvalPrediction, default_data_collator

from ..backends.torch import load_pretrained
from ..errors import InvalidInputError
from ..training.classification import Labels, accuracy
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .images import open_image, read_file


class ImageClassificationConfig(TrainerConfig):
    """The configuration, with the columns of an example."""

    COLUMNS = ("image", "label")

    image: str = "image"
    label: str = "label"


class ImageClassificationLearner(BaseLearner):
    """A classifier with its image processor."""

    def __init__(
        self, folder: Path, config: ImageClassificationConfig, examples: Dataset, trainable: bool = True
    ) -> None:
        """Load the model, with a new head for labels that it does not know."""
        self.images = Path(config.data or "").parent
        self.labels = Labels(examples)
        self.processor = load_pretrained(AutoImageProcessor, folder, backend="pil")
        self.network = self.labels.load_network(AutoModelForImageClassification, folder, trainable)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Decode and resize the images, and number the labels.

        Raises:
            InvalidInputError: A file is not an image.
        """
        images = [self._open(image) for image in batch["image"]]
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        return {"pixel_values": pixels, "labels": [self.labels.number(label) for label in batch["label"]]}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Stack the images, which have the same size."""
        return default_data_collator(features)

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the accuracy."""
        return accuracy(prediction)

    def save(self, folder: Path) -> None:
        """Write the network and the image processor."""
        self.network.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    def _open(self, image: Any) -> Any:
        """Open an image of an example: bytes, or a path relative to the file of examples."""
        given = image if isinstance(image, dict) else {"bytes": image} if isinstance(image, bytes) else {"path": image}
        try:
            return open_image(given.get("bytes") or read_file(self.images / given["path"]))
        except (InvalidInputError, OSError) as error:
            raise InvalidInputError(f"{given.get('path') or 'an image of the examples'}: {error}") from None


class ImageClassificationTraining(TransformersTraining[ImageClassificationConfig]):
    """Train a classifier of images."""

    Config = ImageClassificationConfig
    Learner = ImageClassificationLearner
    metric = Metric("accuracy", higher_is_better=True)
