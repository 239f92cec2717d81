"""PyTorch's two exporters as the fixtures and the zoo use them, and PyTorch's answers. Needs torch."""
import torch


def export(model, images, path, dynamo=False, folded=False, optimize=True):
    """Two images as the example: the newer exporter takes a batch of one for a constant. It returns what it wrote."""
    common = dict(input_names=["images"], output_names=["logits"])
    example = (images[:2],)
    if dynamo:
        return torch.onnx.export(model, example, str(path), dynamo=True, external_data=False, verbose=False,
                                 optimize=optimize, dynamic_shapes=({0: torch.export.Dim("batch")},), **common)
    mode = torch.onnx.TrainingMode
    return torch.onnx.export(model, example, str(path), dynamo=False, opset_version=17,
                             training=mode.EVAL if folded else mode.PRESERVE, do_constant_folding=folded,
                             dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}}, **common)


def logits(model, images):
    with torch.no_grad():
        return model(images).tolist()
