"""Intel SGX enclaves: is the quote genuine (`verify`), is the enclave acceptable (`validate`). Shared with TDX: `attest.dcap`."""
