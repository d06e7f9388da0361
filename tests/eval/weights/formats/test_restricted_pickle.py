import collections
import datetime
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from eval.weights.formats.files import CheckpointError
from eval.weights.formats.restricted_pickle import Record, mapping, named_modules, read_pickle, tensor


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def as_global(module, name):
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"."


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_and_tensors_come_through(protocol):
    values = torch.arange(12.0).view(3, 4)
    content = {
        "a": [1, "two", None, 3.0],
        "view": values[1:, ::2],
        "half": values.half(),
        "parameter": torch.nn.Parameter(values),
        "ordered": collections.OrderedDict(x=1),
        "gain": np.float64(0.5),
    }
    read = read_pickle(pickle.dumps(content, protocol))
    assert read["a"] == content["a"]
    assert mapping(read["ordered"]) == {"x": 1}
    for name in ("view", "half", "parameter"):
        assert torch.equal(tensor(read[name], name), content[name].detach().float())


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_long_tensors_stay_in_the_file_until_they_are_asked_for(tmp_path, protocol):
    first, second = torch.arange(100_000.0), torch.arange(300_000.0)
    path = tmp_path / "two.pkl"
    path.write_bytes(
        pickle.dumps({"before": "a", "first": first, "second": second, "after": [1, b"b" * 9000]}, protocol)
    )
    with path.open("rb") as file:
        tracemalloc.start()
        read = read_pickle(file)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 100_000
        assert torch.equal(tensor(read["second"], "second"), second)
        assert torch.equal(tensor(read["first"], "first"), first)
        assert (read["before"], read["after"][0], read["after"][1].read()) == ("a", 1, b"b" * 9000)


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("builtins", "getattr"), ("torch", "load"), ("torch.hub", "load")],
)
def test_unknown_globals_are_refused_by_name(module, name):
    with pytest.raises(CheckpointError, match=f"global '{module}.{name}'"):
        read_pickle(as_global(module, name))


def test_nothing_is_called(capsys):
    with pytest.raises(CheckpointError, match="print"):
        read_pickle(pickle.dumps({"G_ema": Call(print, "this must never run")}))
    with pytest.raises(CheckpointError, match="datetime"):
        read_pickle(pickle.dumps(datetime.date(2020, 1, 1)))
    assert capsys.readouterr().out == ""


def test_allowed_globals_become_records_only():
    read = read_pickle(b"\x80\x02ctorch.storage\n_load_from_bytes\nU\x03abc\x85R.")
    assert isinstance(read, Record)
    assert read.args == ("abc",)
    cls = read_pickle(as_global("torch.nn.modules.linear", "Linear"))
    assert issubclass(cls, Record)


def test_states_cannot_change_what_is_shared():
    # BUILD on an allowed class itself, with attributes to set on it
    hostile = b"\x80\x02ctorch\nSize\n(N}U\x04nameU\x05wrongsubtb."
    with pytest.raises(CheckpointError):
        read_pickle(hostile.replace(b"subt", b"stb"))
    assert read_pickle(as_global("torch", "Size")).name == "torch.Size"
    assert Record.name == ""


def test_tensor_files_refer_to_nothing_outside():
    with pytest.raises(CheckpointError, match="no whole pickle"):
        read_pickle(b"\x80\x02U\x01aQ.")


def test_damaged_and_exhausting_pickles():
    whole = pickle.dumps({"a": torch.zeros(50)})
    for cut in (0, 1, 5, len(whole) // 2, len(whole) - 1):
        with pytest.raises(CheckpointError):
            read_pickle(whole[:cut])
    with pytest.raises(CheckpointError, match="exhaust"):
        read_pickle(b"\x80\x02N" + b"r" + struct.pack("<I", 2**31) + b".")
    with pytest.raises(CheckpointError):
        read_pickle(b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.")


@pytest.mark.parametrize("change", [dict(offset=9), dict(size=(1000, 1000)), dict(stride=(-1, 1)), dict(size=(2, "3"))])
def test_tensors_stay_within_their_storage(change):
    rebuild = dict(zip(("storage", "offset", "size", "stride"), torch.zeros(3, 4).__reduce_ex__(2)[1], strict=False))
    changed = {**rebuild, **change}
    content = Call(torch._utils._rebuild_tensor_v2, *changed.values(), False, collections.OrderedDict())
    with pytest.raises(CheckpointError, match=r"'layer\.weight'"):
        tensor(read_pickle(pickle.dumps(content)), "layer.weight")


def test_damaged_storage_and_other_values():
    hostile = pickle.dumps(Call(print, "this must never run"))
    content = Call(
        torch._utils._rebuild_tensor_v2, Call(torch.storage._load_from_bytes, hostile), 0, (1,), (1,), False, {}
    )
    with pytest.raises(CheckpointError, match="damaged tensor"):
        tensor(read_pickle(pickle.dumps(content)), "a")
    for value in (None, 3, "text", []):
        with pytest.raises(CheckpointError, match="no tensor at 'a'"):
            tensor(value, "a")


def test_modules_within_themselves():
    linear = type("Record", (Record,), {"name": "torch.nn.modules.Linear"})()
    linear.state = {"_modules": {"again": linear}}
    with pytest.raises(CheckpointError, match="nested without end"):
        list(named_modules(linear))
