"""What the operating system is asked for by system calls, and the bytes of its structures."""
