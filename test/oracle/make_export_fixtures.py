#!/usr/bin/env python3
"""Make small ONNX models in the styles of several producers, and their answers, in test/fixtures/exports.

    python test/oracle/make_export_fixtures.py     # needs torch, timm (for ScaledStdConv2d), onnx and numpy

Two kinds. Exports by PyTorch of what is awkward, as export_zoo.py makes them: NAME.KIND.onnx, NAME.KIND.donor.onnx,
NAME.npy, NAME.json. And graphs built by hand in the style of producers that are not at hand (tf2onnx, Keras,
Paddle2ONNX, ONNX Runtime's quantiser), with what the onnx package's reference evaluator makes of them.
"""
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from timm.layers import ScaledStdConv2d
from torch import nn

import export_zoo as zoo

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "exports"
CLASSES = zoo.CLASSES


class Standardised(nn.Module):
    """Scaled weight standardisation, dense and grouped, as in NF-ResNets."""

    def __init__(self):
        super().__init__()
        self.stem = ScaledStdConv2d(3, 8, 3, 2, bias=True)
        self.grouped = ScaledStdConv2d(8, 8, 3, 1, groups=2, padding=1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(torch.relu(self.grouped(torch.relu(self.stem(x)))).mean((2, 3)))


class Upsampling(nn.Module):
    """Transposed convolutions: dense with a norm, depthwise, one input channel in each group."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.up1 = nn.ConvTranspose2d(4, 6, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.up2 = nn.ConvTranspose2d(6, 6, 3, 2, 1, groups=6)
        self.up3 = nn.ConvTranspose2d(6, 12, 2, 2, groups=6)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = torch.relu(self.norm(self.up1(self.down(x))))
        return self.head(torch.relu(self.up3(torch.relu(self.up2(x)))).mean((2, 3)))


class Attending(nn.Module):
    """torch.nn.MultiheadAttention: one parameter for queries, keys and values, used without a module's call."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.BatchNorm2d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.norm(self.patches(x)).flatten(2).transpose(1, 2)
        return self.head((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


MODULES = {"standardised": Standardised, "upsampling": Upsampling, "attending": Attending,
           "recurrent": lambda: zoo.Recurrent(16)}
KINDS = {"standardised": ("torchscript", "folded", "dynamo-plain", "dynamo"),
         "upsampling": ("torchscript", "dynamo"), "attending": ("folded", "dynamo"),
         "recurrent": ("torchscript", "folded")}


def scrub(path):
    """Drop what the exporters note about the machine, and keep the scopes that layers are named by."""
    stored = onnx.load(str(path))
    for node in stored.graph.node:
        node.doc_string = ""
        keep = [p for p in node.metadata_props if p.key.endswith(("name_scopes", "rule_name"))]
        keep = [onnx.StringStringEntryProto(key=p.key, value=p.value) for p in keep] \
            if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN") else []
        del node.metadata_props[:]
        node.metadata_props.extend(keep)
    for value in (stored.graph, *stored.graph.value_info, *stored.graph.input, *stored.graph.output,
                  *stored.graph.initializer):
        del value.metadata_props[:]
    del stored.graph.value_info[:]
    onnx.checker.check_model(stored)
    onnx.save(stored, str(path))


def from_pytorch(names=MODULES):
    """Takes a minute; the graphs built by hand do not depend on it."""
    for name in names:
        make = MODULES[name]
        zoo.ZOO[name] = (make, 16)
        kinds = {kind: options for kind, options in zoo.KINDS.items()
                 if kind in KINDS[name]}
        zoo.one(name, OUT, kinds)
        for path in OUT.glob(f"{name}.*.onnx"):
            scrub(path)


rng = np.random.default_rng(7)


def weight(*shape):
    return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)


def tensor(name, values):
    return numpy_helper.from_array(np.ascontiguousarray(values), name)


def image(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def build(name, nodes, tensors, inputs, outputs, opset=13, ir=8, **about):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializer=tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir, **about)
    onnx.checker.check_model(model)
    onnx.save(model, str(OUT / f"{name}.onnx"))
    return model


def answer(name, model, images, layers, feeds=None):
    """What the reference evaluator makes of the file, and the layers that it should have."""
    feeds = feeds or {model.graph.input[0].name: images}
    # The evaluator takes an old BatchNormalization for a training one; what these graphs compute did not change.
    model.opset_import[0].version = max(model.opset_import[0].version, 15) if "paddle" in name else 13
    logits = ReferenceEvaluator(model).run(None, feeds)[0].astype(np.float32)
    (OUT / f"{name}.json").write_text(json.dumps({"layers": layers, "logits": logits.tolist()}))


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def tensorflow(images):
    """As tf2onnx converts Keras: channels-last images, HWIO kernels, [in, out] matrices, scopes with slashes."""
    call = "StatefulPartitionedCall/net"
    kernel, depthwise = weight(3, 3, 3, 8), weight(3, 3, 8, 1)
    dense1, dense2 = weight(8, 12), weight(12, CLASSES)
    tensors = [
        tensor(f"{call}/stem/Conv2D/ReadVariableOp:0", kernel),
        tensor(f"{call}/stem/BiasAdd/ReadVariableOp:0", rng.normal(0, .1, (1, 8, 1, 1)).astype(np.float32)),
        tensor(f"{call}/mix/depthwise/ReadVariableOp:0", depthwise),
        tensor("const_fold_opt__31", dense1),
        tensor(f"{call}/hidden/BiasAdd/ReadVariableOp:0", rng.normal(0, .1, 12).astype(np.float32)),
        tensor("net/logits/kernel:0", dense2),
        tensor("net/logits/bias:0", rng.normal(0, .1, CLASSES).astype(np.float32)),
        tensor("new_shape__40", np.array([8, 1, 3, 3], np.int64)),
        tensor("axes__41", np.array([2, 3], np.int64)),
    ]
    nodes = [
        node("Transpose", ["images"], ["t0"], "Transpose__5", perm=[0, 3, 1, 2]),
        node("Transpose", [f"{call}/stem/Conv2D/ReadVariableOp:0"], ["k1"], "Transpose__6", perm=[3, 2, 0, 1]),
        node("Conv", ["t0", "k1"], ["c1"], f"{call}/stem/Conv2D", strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Add", ["c1", f"{call}/stem/BiasAdd/ReadVariableOp:0"], ["b1"], f"{call}/stem/BiasAdd"),
        node("Relu", ["b1"], ["r1"], f"{call}/relu1/Relu"),
        node("Transpose", [f"{call}/mix/depthwise/ReadVariableOp:0"], ["d0"], "Transpose__7", perm=[2, 3, 0, 1]),
        node("Reshape", ["d0", "new_shape__40"], ["d1"], "Reshape__8"),
        node("Conv", ["r1", "d1"], ["c2"], f"{call}/mix/depthwise", group=8, auto_pad="SAME_UPPER"),
        node("Relu", ["c2"], ["r2"], f"{call}/relu2/Relu"),
        node("Transpose", ["r2"], ["t2"], "Transpose__9", perm=[0, 2, 3, 1]),
        node("Transpose", ["t2"], ["t3"], "Transpose__10", perm=[0, 3, 1, 2]),
        node("ReduceMean", ["t3"], ["p"], f"{call}/pool/Mean", axes=[2, 3], keepdims=0),
        node("MatMul", ["p", "const_fold_opt__31"], ["m1"], f"{call}/hidden/MatMul"),
        node("Add", ["m1", f"{call}/hidden/BiasAdd/ReadVariableOp:0"], ["a1"], f"{call}/hidden/BiasAdd"),
        node("Relu", ["a1"], ["r3"], f"{call}/relu3/Relu"),
        node("MatMul", ["r3", "net/logits/kernel:0"], ["m2"], f"{call}/logits/MatMul"),
        node("Add", ["m2", "net/logits/bias:0"], ["scores"], f"{call}/logits/BiasAdd"),
        node("Softmax", ["scores"], ["Identity:0"], f"{call}/softmax/Softmax"),
    ]
    model = build("tensorflow", nodes, tensors, [image("images", ["unk__1", 16, 16, 3])],
                  [image("Identity:0", ["unk__1", CLASSES])], producer_name="tf2onnx", producer_version="1.16")
    model.graph.output[0].name = "scores"   # the answer is the logits, not their softmax
    layers = [["net/stem", [8, 3, 3, 3], True], ["net/mix", [8, 1, 3, 3], False],
              ["net/hidden", [12, 8], True], ["net/logits", [CLASSES, 12], True]]
    answer("tensorflow", model, images.transpose(0, 2, 3, 1), layers)


def paddle(images):
    """As Paddle2ONNX: parameters conv2d_0.w_0 in Constant or Identity form, [in, out] matrices, opset 9, old IR."""
    conv, dense = weight(6, 3, 3, 3), weight(6, CLASSES)
    params = {"conv2d_0.w_0": conv, "batch_norm2d_0.w_0": rng.uniform(.5, 1.5, 6).astype(np.float32),
              "batch_norm2d_0.b_0": rng.normal(0, .2, 6).astype(np.float32),
              "batch_norm2d_0.w_1": rng.normal(0, .2, 6).astype(np.float32),
              "batch_norm2d_0.w_2": rng.uniform(.5, 1.5, 6).astype(np.float32),
              "linear_0.b_0": rng.normal(0, .2, CLASSES).astype(np.float32)}
    nodes = [node("Constant", [], ["linear_0.w_0"], "Constant_0", value=tensor("value", dense)),
             node("Conv", ["x", "conv2d_0.w_0"], ["c"], "Conv_0", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
             node("BatchNormalization", ["c", *list(params)[1:5]], ["n"], "BatchNormalization_0"),
             node("Relu", ["n"], ["r"], "Relu_0"),
             node("GlobalAveragePool", ["r"], ["g"], "GlobalAveragePool_0"),
             node("Flatten", ["g"], ["f"], "Flatten_0", axis=1),
             node("MatMul", ["f", "linear_0.w_0"], ["m"], "MatMul_0"),
             node("Add", ["m", "linear_0.b_0"], ["y"], "Add_0")]
    tensors = [tensor(name, values) for name, values in params.items()]
    inputs = [image("x", [-1, 3, 16, 16])] + [image(t.name, list(t.dims)) for t in tensors]
    model = build("paddle", nodes, tensors, inputs, [image("y", [-1, CLASSES])], opset=9, ir=3,
                  producer_name="PaddlePaddle")
    answer("paddle", model, images, [["conv2d_0", [6, 3, 3, 3], False], ["linear_0", [CLASSES, 6], True]],
           {"x": images})


def half(images):
    """Weights in float16: one behind a Cast, the others in a float16 part of the graph; a bfloat16 one too."""
    conv, dense = weight(6, 3, 3, 3).astype(np.float16), weight(CLASSES, 6).astype(np.float16)
    scale = onnx.helper.make_tensor("scale", TensorProto.BFLOAT16, [6], np.linspace(.5, 2, 6))
    nodes = [node("Cast", ["conv.weight"], ["w"], "cast_w", to=TensorProto.FLOAT),
             node("Conv", ["images", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
             node("Relu", ["c"], ["r"]),
             node("GlobalAveragePool", ["r"], ["g"]),
             node("Flatten", ["g"], ["f"]),
             node("Cast", ["scale"], ["s"], to=TensorProto.FLOAT),
             node("Mul", ["f", "s"], ["fs"]),
             node("Cast", ["fs"], ["h"], to=TensorProto.FLOAT16),
             node("Gemm", ["h", "fc.weight", "fc.bias"], ["y16"], "fc", transB=1),
             node("Cast", ["y16"], ["logits"], to=TensorProto.FLOAT)]
    tensors = [tensor("conv.weight", conv), tensor("fc.weight", dense), scale,
               tensor("fc.bias", np.array([1e-7, -3e-5, 65504, 0, -0.0, .1, 1, 2, 3, 4][:CLASSES], np.float16) / 4096)]
    model = build("half", nodes, tensors, [image("images", ["n", 3, 16, 16])], [image("logits", ["n", CLASSES])])
    wide = {t.name: numpy_helper.to_array(t).astype(np.float32) for t in tensors if t.name != "scale"}
    x = np.maximum(torch.nn.functional.conv2d(torch.tensor(images), torch.tensor(wide["conv.weight"]),
                                              padding=1).numpy(), 0).mean((2, 3)) * np.linspace(.5, 2, 6)
    # bfloat16 keeps 8 bits: 0.8 becomes 0.80078125 and so on; onnx has rounded them already.
    rounded = onnx.numpy_helper.to_array(scale).astype(np.float32)
    x = x / np.linspace(.5, 2, 6) * rounded
    logits = x @ wide["fc.weight"].T + wide["fc.bias"]
    layers = [["conv", [6, 3, 3, 3], False], ["fc", [CLASSES, 6], True]]
    (OUT / "half.json").write_text(json.dumps({"layers": layers, "logits": logits.tolist()}))
    del model


def several(images):
    """Two more inputs, one that the logits need and one that they do not; three outputs; a fixed batch."""
    nodes = [node("Conv", ["pixels", "conv.weight"], ["c"], "conv", pads=[1, 1, 1, 1]),
             node("GlobalAveragePool", ["c"], ["g"]), node("Flatten", ["g"], ["features"]),
             node("Add", ["features", "shift"], ["shifted"]),
             node("Gemm", ["shifted", "fc.weight"], ["logits"], "fc", transB=1),
             node("Gemm", ["features", "aux.weight"], ["other"], "aux", transB=1),
             node("Mul", ["other", "temperature"], ["scaled"])]
    tensors = [tensor("conv.weight", weight(6, 3, 3, 3)), tensor("fc.weight", weight(CLASSES, 6)),
               tensor("aux.weight", weight(5, 6))]
    model = build("several", nodes, tensors,
                  [image("shift", [1, 6]), image("temperature", [1]), image("pixels", [2, 3, 16, 16])],
                  [image("features", [2, 6]), image("logits", [2, CLASSES]), image("scaled", [2, 5])])
    model.graph.output.pop(0)
    rows = []
    for i in (0, 2):
        feeds = {"pixels": images[i:i + 2], "shift": np.zeros((1, 6), np.float32),
                 "temperature": np.zeros(1, np.float32)}
        rows += ReferenceEvaluator(model).run(None, feeds)[0].tolist()
    # aux does not lead to the logits.
    layers = [["conv", [6, 3, 3, 3], False], ["fc", [CLASSES, 6], False]]
    (OUT / "several.json").write_text(json.dumps({"layers": layers, "logits": rows}))


def quantised():
    """Refused: QDQ around a convolution."""
    nodes = [node("DequantizeLinear", ["w_q", "w_scale"], ["w"]), node("Conv", ["images", "w"], ["c"], "conv"),
             node("GlobalAveragePool", ["c"], ["g"]), node("Flatten", ["g"], ["f"]),
             node("Gemm", ["f", "fc.weight"], ["logits"], "fc", transB=1)]
    tensors = [tensor("w_q", rng.integers(-127, 127, (6, 3, 3, 3), np.int8)),
               tensor("w_scale", np.float32(.01)), tensor("fc.weight", weight(CLASSES, 6))]
    build("quantised", nodes, tensors, [image("images", ["n", 3, 16, 16])], [image("logits", ["n", CLASSES])])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    from_pytorch()
    images = rng.normal(0, 1, (4, 3, 16, 16)).astype(np.float32) * np.arange(1, 5, dtype=np.float32)[:, None, None, None]
    np.save(OUT / "images.npy", images)
    for make in (tensorflow, paddle, half, several):
        make(images)
    quantised()


if __name__ == "__main__":
    main()
