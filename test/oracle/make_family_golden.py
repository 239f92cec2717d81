#!/usr/bin/env python3
"""Write test/fixtures/families.txt: what freshly built models of many families draw their parameters from.

    pip install torch==2.13.0 timm==1.0.29 torchvision==0.28.0 transformers==5.18.0     (CPU)
    python test/oracle/make_family_golden.py

Models of every family of timm, torchvision and transformers' image classifiers (small ones of these: the
distributions follow from shapes); of timm's so many that every module of every file of its models is among them with
everything that it is ever drawn from. First a line of parameters that are no convolution's or linear layer's (`@`, of
names that differ in numbers only the first). Then a line per module with a weight: name, Conv or Linear, shape,
groups, what the weight is drawn from, and the bias (`-` where there is none), in the words of recording.py. Of modules
whose names differ in numbers only, the first and the last.
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
    beit_base_patch16_224 halonet26t gernet_s mobileone_s0 repvgg_a0 resnet51q cait_xxs24_224 coat_tiny
    convmixer_768_32 convnext_atto convnext_tiny convnextv2_atto cspresnet50 darknet53 crossvit_tiny_240 davit_tiny
    deit_tiny_patch16_224 deit_tiny_distilled_patch16_224 deit3_small_patch16_224 densenet121 dla34 dpn68
    edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientnet_b0 efficientnetv2_rw_t mixnet_s
    mnasnet_100 mobilenetv2_100 tinynet_e spnasnet_100 fbnetc_100 efficientvit_b0 efficientvit_m0
    eva02_tiny_patch14_224 fasternet_t0 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny ghostnet_050 hardcorenas_b
    hgnet_tiny hgnetv2_b0 hiera_tiny_224 hrnet_w18_small inception_next_atto inception_resnet_v2 inception_v3
    inception_v4 levit_128s lcnetv2_small mambaout_femto maxvit_pico_rw_256 maxvit_tiny_tf_224 coatnet_pico_rw_224
    poolformer_s12 caformer_s18 convformer_s18 gmlp_s16_224 mixer_s16_224 resmlp_12_224 mobilenetv3_small_050
    mobilenetv4_conv_small mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny nextvit_small nfnet_f0 dm_nfnet_f0
    nf_resnet26 nf_regnet_b0 eca_nfnet_l0 pit_ti_224 pvt_v2_b0 rdnet_tiny regnetx_002 regnety_002 repghostnet_050
    repvit_m1 res2net50_26w_4s resnest14d resnet18 resnet50 resnet26t seresnet18 seresnext26t_32x4d wide_resnet50_2
    resnext50_32x4d ecaresnet26t resnetv2_50 resnetv2_50x1_bit rexnet_100 selecsls42 legacy_seresnet18
    legacy_senet154 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs swin_tiny_patch4_window7_224
    swin_s3_tiny_224 swinv2_tiny_window8_256 swinv2_cr_tiny_224 tiny_vit_5m_224 tresnet_m twins_svt_small vgg11
    vgg11_bn visformer_tiny vit_tiny_patch16_224 vit_small_patch16_224 vit_relpos_small_patch16_224
    vit_srelpos_small_patch16_224 vit_base_patch16_clip_224 vit_small_patch14_dinov2 vitamin_small_224 volo_d1_224
    ese_vovnet19b_dw xception41 xception65 legacy_xception xcit_nano_12_p16_224 tnt_s_patch16_224 convit_tiny
    sam2_hiera_large naflexvit_base_patch16_gap hiera_small_abswin_256 coatnext_nano_rw_224 cpubone_nano
    lowformer_b0 csatv2 efficientnet_b1_pruned vit_small_r26_s32_224 gemma4_vit_167m vit_pe_core_tiny_patch16_384
    samvit_base_patch16_224 mobilenetv5_base aimv2_large_patch14_224 pnasnet5large ecaresnet50d_pruned regnetv_040
    beit_base_patch16_384 maxxvitv2_nano_rw_256 resnet50_clip eva02_base_patch14_224 nasnetalarge haloregnetz_b
    vit_pwee_patch16_reg1_gap_256 eva_giant_patch14_336 levit_conv_256d ghostnetv3_050 gcresnext26ts
    edgenext_small_rw cs3sedarknet_xdw gmixer_12_224 naflexvit_so150m2_patch16_reg1_map vit_giant_patch14_dinov2
    repvgg_b1g4 vit_base_mci_224 xception41p hiera_base_abswin_256 hiera_large_224 eca_botnext26ts_256 resnet61q
    vit_small_resnet50d_s16_224 vit_base_patch16_siglip_224 fastvit_mci3 mobilenetv4_hybrid_medium_075
    bat_resnext26ts maxxvitv2_rmlp_base_rw_224 gc_efficientnetv2_rw_t vit_dpwee_patch16_reg1_gap_256 darknetaa53
    efficientvit_l1 regnetz_005 eca_vovnet39b res2next50 res2net50d cpubone_b3 vit_base_patch16_xp_224
    samvit_base_patch16 vit_tiny_r_s16_p8_224 dpn48b eca_resnext26ts resnest50d_1s4x24d hieradet_small resnetrs50
    vit_relpos_base_patch16_plus_240 lambda_resnet26t cspresnext50 skresnet50d skresnext50_32x4d
    mobilenet_edgetpu_v2_xs pit_ti_distilled_224 efficientnet_b0_g8_gn dla46x_c efficientnet_cc_b0_4e
    coatnet_nano_cc_224 coatnet_0_rw_224 mvitv2_large efficientnet_x_b3 crossvit_9_dagger_240 repvit_m0_9
    hrnet_w18_ssld cpubone_b0_bfrobust dla60_res2next dla60_res2net mobilenetv5_300m coatnet_rmlp_nano_rw_224
    maxvit_rmlp_pico_rw_256 maxxvit_rmlp_nano_rw_256 maxxvit_rmlp_tiny_rw_256 botnet26t_256 lamhalobotnet50ts_256
    maxvit_tiny_pm_256 vit_base_patch16_rope_224 davit_base_fl vit_small_patch16_dinov3 vit_medium_patch16_gap_256
    vit_pe_spatial_tiny_patch16_512 vit_base_patch16_18x2_224 beit3_giant_patch14_224 eva02_small_patch14_224
    eva02_enormous_patch14_clip_224 eva_giant_patch14_clip_224 ecaresnet101d_pruned efficientnet_b2_pruned
    efficientnet_b3_pruned sedarknet21 fastvit_sa12 vit_small_resnet26d_224
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


# What exporters fold away: it says nothing of a network that comes as a graph.
FOLDED = re.compile(r"(^|\.)([qkv]_bias|relative_position_bias_table|rel_pos_[hw]|num_batches_tracked)$")
# Whose parameters are told elsewhere, or are folded too.
PLACES = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.MultiheadAttention, nn.BatchNorm1d, nn.BatchNorm2d)


def modules(model, recorder):
    for path, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            yield f"{path}.in_proj", "Linear", module.in_proj_weight, module.in_proj_bias, 1, recorder
        elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            yield path, "Conv", module.weight, module.bias, module.groups, recorder
        elif isinstance(module, nn.Linear):
            # BEiT and EVA keep the parts of this bias in the module around; an exported graph has them in one.
            apart = getattr(model.get_submodule(path.rpartition(".")[0]), "q_bias", None) if path.endswith(".qkv") else None
            yield path, "Linear", module.weight, apart if module.bias is None else module.bias, 1, recorder


def others(model):
    """Names of parameters outside of convolutions and linear layers; of those that differ in numbers only, the first."""
    inside = {id(p) for m in model.modules() if isinstance(m, PLACES) for p in m.parameters()}
    names = [name for name, p in model.named_parameters() if id(p) not in inside and not FOLDED.search(name)]
    return list({re.sub(r"\d+", "#", name): name for name in reversed(names)}.values())[::-1]


def record(make):
    """The line of other parameters, and a line per module."""
    with Recorder() as recorder:
        model = make()
    yield " ".join(["@", *others(model)])
    for path, kind, weight, bias, groups, recorder in modules(model, recorder):
        drawn = recorder.of(weight), "-" if bias is None else recorder.of(bias)
        yield f"{path} {kind} {'x'.join(map(str, weight.shape))} {groups} {' '.join(drawn)}"


def lines(make):
    first, *rows = record(make)
    ends = {}
    for line in rows:
        path, kind, shape, groups, weight, bias = line.split(" ")
        ends.setdefault((re.sub(r"\d+", "#", path), groups != "1", bias == "-"), []).append(line)
    return [first, *(line for rows in ends.values() for line in dict.fromkeys((rows[0], rows[-1])))]


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
