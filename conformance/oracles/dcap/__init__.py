"""The referee of SGX quotes and TDX quotes: `dcap-qvl`."""
