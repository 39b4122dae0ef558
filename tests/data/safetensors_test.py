"""Opens a model file with Python's safetensors and checks what model_example.hpp put in. Exit code 77: no module."""
import hashlib
import json
import re
import sys

try:
    from safetensors import safe_open
except ImportError:
    print("Python's safetensors is not installed")
    sys.exit(77)

path = sys.argv[1]
with safe_open(path, "np") as file:
    metadata = file.metadata()
    assert set(metadata) == {"lavoisier", "sha256"}, metadata
    description = json.loads(metadata["lavoisier"])
    assert description["format"] == "lavoisier-model" and description["version"] == 2
    assert [law["name"] for law in description["laws"]] == ["moisture", "share"]
    assert description["layout"]["variables"][0]["long_name"] == 'Luftdruck am Boden, "µ" \\ 気圧'
    weight = file.get_tensor("w")
    assert weight.shape == (5, 5) and weight.dtype == "float32" and weight[4, 4] == 3.0, weight
    assert list(file.get_tensor("mask")) == [1, 0, 1]
    assert list(file.get_tensor("constants.values")) == [9.80665, 1 / 3]
    tolerance = description["laws"][0]["physics_tolerance"]
    assert file.get_tensor("laws.numbers")[tolerance] == 0.1

raw = open(path, "rb").read()
at = re.search(rb'"sha256":"', raw).end()
assert hashlib.sha256(raw[:at] + b"0" * 64 + raw[at + 64:]).hexdigest() == metadata["sha256"]
print("opened", path)
