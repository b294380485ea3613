"""The exercises on packets: their questions, the answers that a capture gives, and the marking of a student's own."""
