"""AMD SEV-SNP: layout (bytes to fields), verify (is it genuine), validate (is it acceptable).

Documents: AMD 56860 "SEV Secure Nested Paging Firmware ABI Specification" and AMD 57230 "Versioned Chip Endorsement Key (VCEK)
Certificate and KDS Interface Specification". Requirements are numbered in spec/07a-snp.md.
"""
