"""Intel TDX trust domains: is the quote genuine (`verify`), is the TD acceptable (`validate`). Shared with SGX: `attest.dcap`."""
