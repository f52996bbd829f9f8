"""TPM 2.0 quotes: is the quote genuine (`quote`, `verify`), is what was booted acceptable (`validate`)."""
