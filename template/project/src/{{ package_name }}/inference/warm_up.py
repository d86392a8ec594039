"""Predict examples with a model that was just loaded: what cannot answer must not be called ready."""

import logging
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import EmptyInputError, InvalidInputError, ModelUnavailableError
from .model import InferenceModel
from .schemas import TaskSchemas

logger = logging.getLogger(__name__)


def warm_up(model: InferenceModel[Any, Any, Any], schemas: TaskSchemas) -> None:
    """Predict the first example of the schema alone, then two examples in one batch.

    Does nothing if the schema has no examples, if parameters have no defaults, or if the model refuses an example as it
    would refuse a request.

    Raises:
        ModelUnavailableError: The model raised an exception, or its tokenizer finds no token in an example.
    """
    examples = schemas.examples()[:2]
    if not examples:
        logger.info("not tried: the Input of schemas.py has no examples")
        return
    try:
        inputs = [TypeAdapter(schemas.input).validate_python(each) for each in examples]
        model.warm_up(inputs, schemas.parameters())
    except EmptyInputError as error:
        message = "the tokenizer finds no token in the example of schemas.py: its files may lack the vocabulary"
        raise ModelUnavailableError(message) from error
    except (InvalidInputError, ValidationError) as error:
        logger.warning("not tried: an example of schemas.py was refused: %s", str(error).splitlines()[0])
    except Exception as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        message = f"the model cannot predict the example of schemas.py: {type(error).__name__}: {reason}"
        raise ModelUnavailableError(message) from error
