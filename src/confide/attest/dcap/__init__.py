"""What SGX and TDX share: Intel's DCAP quotes, PCK chains, and the TCB collateral of the Provisioning Certification Service."""
