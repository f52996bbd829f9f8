"""Model packages and the engine that runs them in confined worker processes. No network, no keys, no code from a model file.

`open_package` and `write_package` check packages and write them (spec/11-package.md); `Engine` loads and runs them. Importing this
loads neither numpy nor ONNX Runtime: those live in the workers. Packing is in `confide.engine.pack`; it needs `confide[pack]`.
"""

from confide.engine.engine import Engine
from confide.engine.limits import EngineLimits
from confide.engine.manifest import Manifest, Task
from confide.engine.package import Package, open_package, package_digest, write_package
from confide.engine.results import ClassificationOutput, EmbeddingOutput, EngineIdentity, LoadedModel, Result, Timing

__all__ = [
    "ClassificationOutput",
    "EmbeddingOutput",
    "Engine",
    "EngineIdentity",
    "EngineLimits",
    "LoadedModel",
    "Manifest",
    "Package",
    "Result",
    "Task",
    "Timing",
    "open_package",
    "package_digest",
    "write_package",
]
