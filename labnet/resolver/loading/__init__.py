"""The files of one resolver, read: records, what was learned, hints; everything that is wrong in them at once."""
