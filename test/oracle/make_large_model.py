#!/usr/bin/env python3
"""Make a model of more than 2 GB with external data, and a checkpoint for it: to be run by hand, not committed.

    python test/oracle/make_large_model.py FOLDER [WIDTH [DEPTH]]     # needs onnx and numpy; 8192 and 7 by default
    critmap sweep FOLDER/large.onnx --data synthetic:8 --layers blocks.3 --trials 1 --out RUN

An image of 64 x 64 pixels, flattened; DEPTH Linears of WIDTH with ReLU between them; 10 classes. The files are
large.onnx, large.onnx.data, and large.safetensors with other weights of the same names.
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SIZE, CLASSES, SEED = 64, 10, 7


def draw(rng, shape):
    """He et al. (2015), so that activations keep their size."""
    values = rng.standard_normal(shape, dtype=np.float32)
    values *= np.float32(np.sqrt(2 / shape[-1]) if len(shape) > 1 else 0.01)
    return values


def write(path, shapes, seed, head=b""):
    """Tensors one after the other, none of them in memory for longer than it takes."""
    rng = np.random.default_rng(seed)
    with open(path, "wb") as file:
        file.write(head)
        for shape in shapes.values():
            file.write(draw(rng, shape).tobytes())


def main():
    out = Path(sys.argv[1])
    given = [int(text) for text in sys.argv[2:]]
    width, depth = given + [8192, 7][len(given):]
    out.mkdir(parents=True, exist_ok=True)
    modules = ["stem", *(f"blocks.{i}" for i in range(depth)), "head"]
    outputs = [width] * (depth + 1) + [CLASSES]
    inputs = [3 * SIZE * SIZE] + [width] * (depth + 1)
    nodes, shapes, x = [helper.make_node("Flatten", ["images"], ["flat"])], {}, "flat"
    for module, rows, columns in zip(modules, outputs, inputs):
        shapes[f"{module}.weight"], shapes[f"{module}.bias"] = (rows, columns), (rows,)
        made = "logits" if module == "head" else f"{module}/Gemm"
        nodes.append(helper.make_node("Gemm", [x, f"{module}.weight", f"{module}.bias"], [made], transB=1))
        x = made
        if module != "head":
            nodes.append(helper.make_node("Relu", [made], [f"{module}/Relu"]))
            x = f"{module}/Relu"

    tensors, offset, described = [], 0, {}
    for name, shape in shapes.items():
        length = 4 * int(np.prod(shape))
        tensor = onnx.TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT,
                                  data_location=TensorProto.EXTERNAL)
        for key, value in (("location", "large.onnx.data"), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        tensors.append(tensor)
        described[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    graph = helper.make_graph(
        nodes, "large", [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (out / "large.onnx").write_bytes(model.SerializeToString())
    write(out / "large.onnx.data", shapes, SEED)
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % 8)
    write(out / "large.safetensors", shapes, SEED + 1, struct.pack("<Q", len(header)) + header)
    print(f"{offset} bytes of weights in {len(shapes)} tensors")


if __name__ == "__main__":
    main()
