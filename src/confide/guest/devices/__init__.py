"""Driving TEE devices: each module speaks one kernel interface and returns bytes, or says exactly why not.

SEV-SNP has two interfaces to the same firmware (`tsm`, `sev_guest`); `snp` makes a TEE of either, with the certificates that the
host gives (`certificates`) and those that the operator does (`collateral`). Left to others: choosing one (`guest.tee`).
"""
