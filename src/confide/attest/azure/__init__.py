"""Azure confidential VMs: a paravisor that the hardware has measured, and the virtual TPM that it makes for the guest."""
