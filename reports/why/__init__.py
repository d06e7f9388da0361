"""How a number of a run folder came to be: what `deltabench why` prints (``docs/why.md``)."""
