"""Azure confidential VMs on SEV-SNP and TDX: a hardware report, the runtime data that it covers, and a quote of the vTPM behind
it."""
