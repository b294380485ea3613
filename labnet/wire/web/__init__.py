"""HTTP as DNS over HTTPS has it: bytes to requests and back, without I/O. Imported only where somebody speaks it."""
