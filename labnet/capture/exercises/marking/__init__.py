"""Marking: a student's answers, right, wrong or for the teacher.

``facts`` reads what an answer states and denies, ``verdicts`` compares it with what the capture says, ``batch`` marks a
folder of sheets. Begin with ``verdicts``.
"""
