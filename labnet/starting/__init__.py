"""What a process gets when it starts: sockets, a clock, word to who started it."""
