"""The numbers of a cell: every file here is loaded, and every function decorated with ``metric`` is a column.

``docs/adding_a_metric.md`` says how one more is added. The files import torch only inside functions: tables, explorer
and ``why`` read the records without it.
"""
