"""Writes Lavoisier model files (docs/model-file.md, version 2) from PyTorch tensors, using safetensors.

Copy this file into a project of your own: it knows nothing of the example beside it.
"""
import hashlib
import json
import os

import torch
from safetensors.torch import save

TYPES = (torch.float64, torch.float32, torch.int64, torch.int32, torch.uint8)


class Graph:
    """Nodes in the order in which they run, with their tensors. Names of values and tensors are made here."""

    def __init__(self, prefix="", tensors=None):
        self.nodes = []
        self.tensors = {} if tensors is None else tensors
        self.subgraphs = {}
        self._prefix = prefix

    def add(self, op, inputs=(), outputs=None, **operands):
        """Appends a node. An operand that is a tensor is stored in the file, any other is an attribute.

        `inputs` and `outputs` are names of values; without `outputs` one name is made up.
        Returns the name of the value that the node makes, or a list where it makes several.
        """
        node = f"{self._prefix}{op}{len(self.nodes)}"
        outputs = [node] if outputs is None else list(outputs)
        tensors, attributes = {}, {}
        for key, value in operands.items():
            if isinstance(value, torch.Tensor):
                tensors[key] = f"{node}.{key}"
                self.put(tensors[key], value)
            else:
                attributes[key] = str(value)
        self.nodes.append({"op": op, "inputs": list(inputs), "outputs": outputs, "tensors": tensors,
                           "attributes": attributes})
        return outputs[0] if len(outputs) == 1 else outputs

    def dense(self, x, layer):
        """A `torch.nn.Linear` with a bias."""
        return self.add("dense", [x], weight=layer.weight, bias=layer.bias)

    def subgraph(self, name):
        """A list of nodes that a node's attribute `subgraph` names. Its last node makes `prediction`."""
        part = Graph(f"{name}.", self.tensors)
        self.subgraphs[name] = part
        return part

    def put(self, name, tensor):
        if name in self.tensors:
            raise ValueError(f"two tensors called {name}")
        if tensor.dtype not in TYPES:
            raise ValueError(f"tensor {name}: a model file holds {TYPES}, not {tensor.dtype}")
        self.tensors[name] = tensor.detach().cpu().contiguous().clone()  # safetensors wants no shared memory


def variable(name, units, role, dimensions=(), standard_name="", long_name="", coordinates=(), accepted_units=()):
    """An entry of layout.variables; role: input, output or diagnostic."""
    return {"name": name, "units": units, "dimensions": list(dimensions), "role": role, "standard_name": standard_name,
            "long_name": long_name, "coordinates": list(coordinates), "accepted_units": list(accepted_units)}


def law(name, equation, units, terms, right_hand_side=0.0, physics_tolerance=0.0, scope="local"):
    """A law: sum over `terms` (variable: coefficient) = right-hand side.

    An expression is a number, the name of a symbol, or a postfix program as a list of these and of tuples:
    ["dp", "g", ("divide",)] is dp / g, ["dp", ("sum", "level")] the sum of dp over the levels.
    """
    return {"name": name, "equation": equation, "units": units, "scope": scope, "terms": dict(terms),
            "right_hand_side": right_hand_side, "physics_tolerance": float(physics_tolerance)}


def _postfix(expression, numbers):
    program = []
    for step in expression if isinstance(expression, list) else [expression]:
        if isinstance(step, tuple):
            program.append(list(step))
        elif isinstance(step, str):
            program.append(["symbol", step])
        else:
            program.append(["number", len(numbers)])
            numbers.append(float(step))
    return program


def _compiled(entry, numbers):
    """The law as the file holds it. Numbers are taken in the order of the text: terms, right-hand side, tolerance."""
    terms = [{"variable": name, "coefficient": _postfix(e, numbers)} for name, e in entry["terms"].items()]
    right_hand_side = _postfix(entry["right_hand_side"], numbers)
    numbers.append(entry["physics_tolerance"])
    return {**entry, "terms": terms, "right_hand_side": right_hand_side, "physics_tolerance": len(numbers) - 1}


def write(path, *, variables, laws, heads, graph, minimum, maximum, dimensions=(), constants=None, provenance=None):
    """Writes the file and returns its digest.

    `minimum` and `maximum` are the training ranges, one number an input element; `constants` maps names to
    (value, units); `provenance` maps texts to texts. The file appears whole or not at all.
    """
    constants, numbers, zeros = constants or {}, [], "0" * 64
    description = {
        "format": "lavoisier-model",
        "version": 2,
        "layout": {"dimensions": list(dimensions), "variables": list(variables)},
        "constants": [{"name": name, "units": units} for name, (_, units) in constants.items()],
        "laws": [_compiled(entry, numbers) for entry in laws],
        "heads": list(heads),
        "graph": graph.nodes,
        "subgraphs": {name: part.nodes for name, part in graph.subgraphs.items()},
        "provenance": dict(provenance or {}),
    }
    file = Graph(tensors=dict(graph.tensors))
    values = [value for value, _ in constants.values()]
    for name, doubles in (("laws.numbers", numbers), ("constants.values", values), ("input.minimum", minimum),
                          ("input.maximum", maximum)):
        file.put(name, torch.as_tensor(doubles, dtype=torch.float64))
    # safetensors lays out the tensors, but writes metadata in any order: that part of the header is ours, so that the
    # same model is the same file. json.dumps writes the keys without escapes, as the format asks.
    data = save(file.tensors)
    begin = 8 + int.from_bytes(data[:8], "little")
    metadata = {"lavoisier": json.dumps(description, ensure_ascii=False), "sha256": zeros}
    header = json.dumps({"__metadata__": metadata, **json.loads(data[8:begin])}, ensure_ascii=False,
                        separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    data = len(header).to_bytes(8, "little") + header + data[begin:]
    digest = hashlib.sha256(data).hexdigest()  # of the file with zeros in the digest's place, as it is now
    data = data.replace(f'"sha256":"{zeros}"'.encode(), f'"sha256":"{digest}"'.encode(), 1)

    temporary = f"{path}.tmp-{os.getpid()}"
    try:
        with open(temporary, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return digest
