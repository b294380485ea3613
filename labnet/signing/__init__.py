"""Zone files signed for a lab by ``labnet sign``, and the trust anchors of its validating resolvers.

``zone`` signs one zone, ``tree`` several so that each vouches for those below it.
"""
