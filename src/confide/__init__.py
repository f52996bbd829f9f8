"""Confidential AI: verify the enclave, seal the request, get a signed receipt."""

__version__ = "0.1.0"
