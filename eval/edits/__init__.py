"""Edits of a few pictures, to be looked at: what `deltabench edit` does. Nothing is judged here."""
