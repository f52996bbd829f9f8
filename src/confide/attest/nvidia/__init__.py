"""NVIDIA GPUs and NVSwitches: SPDM measurements (`spdm`), who signed them (`verify`), NVIDIA's reference values (`rim`), and
policy."""
