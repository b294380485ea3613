"""What a capture holds, in words: ``labnet explain``.

``explain`` runs the whole, ``narrative`` writes the packet list and the story, ``sentences`` has one sentence for each
layer, ``hexdump`` shows bytes. Begin with ``explain``.
"""
