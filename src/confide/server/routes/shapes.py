"""What a pipeline is asked, and its outputs as JSON: shared by the answer in one piece and the one line by line."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from confide.engine.results import ClassificationOutput, EmbeddingOutput, Result

MAX_PARAMETERS = 16
Encoding = Literal["float", "base64"]
# All of them together, each character six bytes when escaped and base 64 twice, fit the trailer with the salts (64 KiB).
ParameterName = Annotated[str, Meta(max_length=32)]
ParameterValue = bool | int | float | Annotated[str, Meta(max_length=128)]


class PipelineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/pipelines/{model}`."""

    inputs: Annotated[list[str], Meta(min_length=1)]
    parameters: Annotated[dict[ParameterName, ParameterValue], Meta(max_length=MAX_PARAMETERS)] = {}
    encoding_format: Encoding = "float"


def outputs_of(result: Result, encoding: Encoding) -> Sequence[Any]:
    """One value per input: a vector, or all labels with scores, best first."""
    outputs = result.outputs
    if isinstance(outputs, ClassificationOutput):
        return [[{"label": label, "score": score} for label, score in row] for row in outputs.ranked()]
    return vectors_of(outputs, encoding)


def vectors_of(outputs: EmbeddingOutput, encoding: Encoding) -> Sequence[Any]:
    """Lists of numbers, or little-endian float32 in base 64 (`msgspec` writes bytes so)."""
    return outputs.rows() if encoding == "base64" else outputs.vectors()
