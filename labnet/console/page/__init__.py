"""The live page: who may look, its JSON, its stream of events, and the files it is made of.

``access`` says who may do what, ``queries`` reads what is asked for, ``api`` answers it, ``streams`` sends what happens
as it happens, ``front`` takes the requests.
"""
