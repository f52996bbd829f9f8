"""AWS Nitro: attestation documents of enclaves, and of instances with a NitroTPM. One signer, two kinds that never pass for each
other."""
