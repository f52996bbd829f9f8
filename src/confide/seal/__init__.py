"""The sealed channel (DESIGN section 5): HPKE, binary HTTP, Oblivious HTTP and its chunked form, as sans-IO state machines.

Bytes in, events and bytes out: no socket, no thread, no clock. Both ends share the code. Left to others: which keys may be trusted
(`policy`), which outer route carries the bytes (`server`, `client`), and what a message means.
"""
