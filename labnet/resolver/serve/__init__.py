"""The ports of a resolver: datagrams and streams in, replies out.

``ports`` opens a UDP and a TCP port of one number; ``batch_port`` reads many datagrams by one system call,
``batch_answers`` answers them and ``batch_clients`` says who sent them; ``udp`` and ``tcp`` are the Twisted protocols;
``responder`` turns one DNS message into one response; ``late_replies`` sends what a parent answered to those who asked.
Begin with ``batch_port``, whose first page is the theory, or with ``udp``.
"""
