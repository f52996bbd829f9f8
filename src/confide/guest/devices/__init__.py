"""Driving TEE devices: each module speaks one kernel interface and returns bytes, or says exactly why not.

`tsm` and `sev_guest` are the kernel's interfaces to firmware; `snp`, `intel` and `nitro` make evidence of what they and others
give, with the certificates that the host gives (`certificates`). `checked` makes a TEE of any, with what the operator gives
(`collateral`), by what its kind needs (`platforms`). Left to others: choosing one (`guest.tee`).
"""
