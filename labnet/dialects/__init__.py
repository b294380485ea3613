"""Dialects: how courses word the same two assignments, as data, and what is made of it once at start.

A dialect is a TOML file: those that are shipped lie in this folder, a teacher's anywhere. ``reader`` turns its text
into the frozen ``model``, or tells everything that is wrong with it at once; ``template`` is the language of its forms;
``codec`` compiles a dialect of names, ``commands`` one of commands, into functions from bytes to values and back.
``framing`` cuts streams into messages, ``recognise`` reads a reply of any shipped dialect. None of these does input or
output, but for ``library``, which finds the files. Nothing here knows of sockets, records or caches.
"""
