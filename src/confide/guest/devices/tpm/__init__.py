"""A TPM 2.0 as it is spoken to: commands as bytes over the kernel's resource manager (docs/adr/0009-tpm-commands-as-bytes.md).

`device` carries bytes, `commands` says what they are, `source` makes evidence. Left to others: what a quote means (`attest.tpm`).
"""
