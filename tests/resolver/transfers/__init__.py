"""Zones that are given to other servers, and zones that are had from them."""
