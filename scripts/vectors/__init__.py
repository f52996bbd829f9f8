"""Generators of `vectors/*.json`: one module per file with `build(previous)`; run by `scripts/make_vectors.py`."""
