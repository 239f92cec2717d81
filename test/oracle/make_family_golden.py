#!/usr/bin/env python3
"""Write test/fixtures/families.txt: what freshly built models of many families draw their parameters from.

    pip install torch==2.13.0 timm==1.0.29 torchvision==0.28.0 transformers==5.18.0     (CPU)
    python test/oracle/make_family_golden.py

One model of every family of timm, torchvision and transformers' image classifiers (small ones of these: the
distributions follow from shapes). A line per module with a weight: name, Conv or Linear, shape, groups, what the
weight is drawn from, and the bias (`-` where there is none), in the words of recording.py. Of modules whose names
differ in numbers only, the first and the last.
"""
import re
import sys
import warnings
from pathlib import Path

import timm
import torch
import torchvision.models as tv
import transformers
from torch import nn

from recording import Recorder

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "families.txt"

TIMM = """
    beit_base_patch16_224 halonet26t gernet_s mobileone_s0 repvgg_a0 resnet51q cait_xxs24_224 coat_tiny convmixer_768_32
    convnext_atto convnext_tiny convnextv2_atto cspresnet50 darknet53 crossvit_tiny_240 davit_tiny deit_tiny_patch16_224
    deit_tiny_distilled_patch16_224 deit3_small_patch16_224 densenet121 dla34 dpn68 edgenext_xx_small efficientformer_l1
    efficientformerv2_s0 efficientnet_b0 efficientnetv2_rw_t mixnet_s mnasnet_100 mobilenetv2_100 tinynet_e spnasnet_100
    fbnetc_100 efficientvit_b0 efficientvit_m0 eva02_tiny_patch14_224 fasternet_t0 fastvit_t8 focalnet_tiny_srf
    gcvit_xxtiny ghostnet_050 hardcorenas_b hgnet_tiny hgnetv2_b0 hiera_tiny_224 hrnet_w18_small inception_next_atto
    inception_resnet_v2 inception_v3 inception_v4 levit_128s lcnetv2_small mambaout_femto maxvit_pico_rw_256
    maxvit_tiny_tf_224 coatnet_pico_rw_224 poolformer_s12 caformer_s18 convformer_s18 gmlp_s16_224 mixer_s16_224
    resmlp_12_224 mobilenetv3_small_050 mobilenetv4_conv_small mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny
    nextvit_small nfnet_f0 dm_nfnet_f0 nf_resnet26 nf_regnet_b0 eca_nfnet_l0 pit_ti_224 pvt_v2_b0 rdnet_tiny regnetx_002
    regnety_002 repghostnet_050 repvit_m1 res2net50_26w_4s resnest14d resnet18 resnet50 resnet26t seresnet18
    seresnext26t_32x4d wide_resnet50_2 resnext50_32x4d ecaresnet26t resnetv2_50 resnetv2_50x1_bit rexnet_100 selecsls42
    legacy_seresnet18 legacy_senet154 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs
    swin_tiny_patch4_window7_224 swin_s3_tiny_224 swinv2_tiny_window8_256 swinv2_cr_tiny_224 tiny_vit_5m_224 tresnet_m
    twins_svt_small vgg11 vgg11_bn visformer_tiny vit_tiny_patch16_224 vit_small_patch16_224 vit_relpos_small_patch16_224
    vit_srelpos_small_patch16_224 vit_base_patch16_clip_224 vit_small_patch14_dinov2 vitamin_small_224 volo_d1_224
    ese_vovnet19b_dw xception41 xception65 legacy_xception xcit_nano_12_p16_224 tnt_s_patch16_224 convit_tiny
""".split()

TORCHVISION = """
    alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5
    mobilenet_v2 mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d shufflenet_v2_x0_5
    squeezenet1_1 swin_t swin_v2_t vgg11 vgg11_bn vit_b_16 wide_resnet50_2
""".split()

PLAIN = dict(num_hidden_layers=2, hidden_size=96, num_attention_heads=3, intermediate_size=384)
STAGES = dict(hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 2, 1])
TRANSFORMERS = {
    "ViT": PLAIN, "DeiT": PLAIN, "Beit": PLAIN, "Dinov2": PLAIN, "ConvNext": STAGES, "ConvNextV2": STAGES,
    "ResNet": dict(STAGES, embedding_size=16), "RegNet": dict(hidden_sizes=[64, 128, 192, 256], depths=[1, 1, 1, 1]),
    "Swin": dict(embed_dim=24, depths=[2, 2], num_heads=[2, 4]), "Swinv2": dict(embed_dim=24, depths=[2, 2], num_heads=[2, 4]),
    "MobileNetV1": {}, "MobileNetV2": {}, "MobileViT": {}, "MobileViTV2": {}, "EfficientNet": {}, "Segformer": {},
    "PoolFormer": {}, "FocalNet": dict(embed_dim=24), "PvtV2": {}, "SwiftFormer": {},
}


def modules(make):
    with Recorder() as recorder:
        model = make()
    for path, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            yield f"{path}.in_proj", "Linear", module.in_proj_weight, module.in_proj_bias, 1, recorder
        elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
            yield path, "Conv", module.weight, module.bias, module.groups, recorder
        elif isinstance(module, nn.Linear):
            yield path, "Linear", module.weight, module.bias, 1, recorder


def lines(make):
    ends = {}
    for path, kind, weight, bias, groups, recorder in modules(make):
        drawn = recorder.of(weight), "-" if bias is None else recorder.of(bias)
        line = f"{path} {kind} {'x'.join(map(str, weight.shape))} {groups} {' '.join(drawn)}"
        ends.setdefault((re.sub(r"\d+", "#", path), groups > 1, bias is None), []).append(line)
    return [line for rows in ends.values() for line in dict.fromkeys((rows[0], rows[-1]))]


def makers():
    for name in TIMM:
        yield "timm", name, lambda: timm.create_model(name)
    for name in TORCHVISION:
        more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        yield "torchvision", name, lambda: tv.get_model(name, weights=None, **more)
    for name, options in TRANSFORMERS.items():
        config = lambda: getattr(transformers, f"{name}Config")(**options)
        yield "transformers", name, lambda: getattr(transformers, f"{name}ForImageClassification")(config())


def main():
    text = [f"# torch {torch.__version__}, timm {timm.__version__}, transformers {transformers.__version__}"]
    for library, name, make in makers():
        try:
            rows = lines(make)
        except Exception as error:
            sys.exit(f"{name}: {error!r}")
        text += [f"# {library} {name}", *rows]
        print(library, name, len(rows), flush=True)
    OUT.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    main()
