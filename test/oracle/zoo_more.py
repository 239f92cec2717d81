"""More small networks of timm's and transformers' kinds for export_zoo.py: builder and edge length of the images."""
from dataclasses import replace

import timm
from timm import models as tm
from timm.models import byoanet, byobnet, maxxvit, mvitv2
from timm.models.metaformer import Attention, LayerNorm2dNoBias, LayerNormNoBias, SepConv

CLASSES = 10


def created(name, **options):
    return lambda: timm.create_model(name, num_classes=CLASSES, **options)


def built(make, *arguments, **options):
    return lambda: make(*arguments, num_classes=CLASSES, **options)


def vision(kind, **options):
    """Of transformers, which answers with an object."""
    def make():
        import transformers
        from torch import nn

        class Logits(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = getattr(transformers, f"{kind}ForImageClassification")(
                    getattr(transformers, f"{kind}Config")(num_labels=CLASSES, attn_implementation="eager", **options))

            def forward(self, x):
                return self.net(x).logits

        return Logits()
    return make


def of_two_kinds(name, **changes):
    """Convolutions and attention as timm's `name` has them, few of either. What it sets by the images' size is set for these."""
    config = maxxvit.model_cfgs[name]
    attention = replace(config.transformer_cfg, dim_head=8, window_size=(2, 2), grid_size=(2, 2))
    config = replace(config, embed_dim=(16, 32, 32, 32), depths=(1, 1, 1, 1), stem_width=(8, 16), transformer_cfg=attention,
                     head_hidden_size=config.head_hidden_size and 32)
    return built(maxxvit.MaxxVit, config, img_size=64)


def with_attention(kind, **options):
    """A ResNet of bottlenecks whose last stages attend in one of timm's ways."""
    stages = [byobnet.ByoBlockCfg(type=block, d=1, c=c, s=s, gs=0, br=0.25)
              for block, c, s in (("bottle", 32, 1), ("bottle", 64, 2), ("self_attn", 128, 1), ("self_attn", 128, 2))]
    config = byobnet.ByoModelCfg(blocks=tuple(stages), stem_chs=16, stem_type="tiered", stem_pool="maxpool", fixed_input_size=True,
                                 self_attn_layer=kind, self_attn_kwargs=options)
    return built(byoanet.ByobNet, config, img_size=64)


def mvit():
    config = replace(mvitv2.model_cfgs["mvitv2_tiny"], depths=(1, 1, 1, 1), embed_dim=16, num_heads=1)
    return mvitv2.MultiScaleVit(config, img_size=(64, 64), num_classes=CLASSES)


MORE = {
    "eca_nfnet": (lambda: tm.nfnet.NormFreeNet(
        tm.nfnet._nfnet_cfg(depths=(1, 1, 1, 1), channels=(32, 32, 64, 64), feat_mult=1.0, attn_layer="eca", attn_kwargs={},
                            group_size=8), num_classes=CLASSES), 64),
    "coatnet": (of_two_kinds("coatnet_nano_rw"), 64),
    "swinv2": (built(tm.SwinTransformerV2, img_size=64, patch_size=4, window_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4)), 64),
    "swinv2_cr": (built(tm.SwinTransformerV2Cr, img_size=64, patch_size=4, window_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4)), 64),
    "convit": (built(tm.convit.ConVit, img_size=64, patch_size=16, embed_dim=12, depth=3, num_heads=4, local_up_to_layer=2), 64),
    "relpos": (built(tm.VisionTransformerRelPos, img_size=64, patch_size=16, embed_dim=48, depth=2, num_heads=3, rel_pos_type="mlp"), 64),
    "coatnet_rmlp": (of_two_kinds("coatnet_rmlp_nano_rw"), 64),
    "maxvit": (of_two_kinds("maxvit_tiny_tf"), 64),
    "cait": (built(tm.Cait, img_size=64, embed_dim=48, depth=2, num_heads=3, init_values=0.5), 64),
    "efficientformer": (built(tm.efficientformer.EfficientFormer, depths=(1, 1, 1, 2), embed_dims=(8, 16, 24, 32), num_vit=1), 224),
    "efficientformer_v2": (built(tm.efficientformer_v2.EfficientFormerV2, depths=(1, 1, 2, 2), embed_dims=(8, 16, 24, 32), num_vit=1,
                                 img_size=64), 64),
    "fastvit": (built(tm.FastVit, layers=(1, 1, 1, 1), embed_dims=(16, 32, 64, 128),
                      token_mixers=("repmixer", "repmixer", "repmixer", "attention")), 64),
    "dpn": (built(tm.DPN, small=True, num_init_features=10, k_r=16, groups=4, k_sec=(1, 1, 1, 1), inc_sec=(4, 8, 8, 8)), 64),
    "edgenext": (built(tm.EdgeNeXt, dims=(8, 16, 24, 32), depths=(1, 2, 2, 2), heads=(2, 2, 2, 2)), 64),
    "levit": (built(tm.Levit, img_size=64, embed_dim=(32, 48, 64), key_dim=8, depth=(1, 1, 1), num_heads=(2, 3, 4)), 64),
    "mvitv2": (mvit, 64),
    "pit": (built(tm.PoolingVisionTransformer, img_size=64, patch_size=16, stride=8, base_dims=(16, 16, 16), depth=(1, 1, 1),
                  heads=(2, 4, 8)), 64),
    "poolformer": (built(tm.MetaFormer, depths=(1, 1, 1, 1), dims=(16, 24, 32, 40)), 64),
    "caformer": (built(tm.MetaFormer, depths=(1, 1, 1, 1), dims=(32, 32, 64, 64), token_mixers=[SepConv, SepConv, Attention, Attention],
                       norm_layers=[LayerNorm2dNoBias] * 2 + [LayerNormNoBias] * 2), 64),
    "res2net": (created("res2net50_14w_8s", layers=(1, 1, 1, 1), channels=(16, 16, 32, 32), base_width=32), 64),
    "resnest": (created("resnest14d", channels=(16, 16, 32, 32)), 64),
    "sknet": (created("skresnet18", layers=(1, 1, 1, 1), channels=(16, 16, 32, 32)), 64),
    "blurpool": (created("resnetblur50", layers=(1, 1, 1, 1), channels=(16, 16, 32, 32)), 64),
    "twins": (built(tm.Twins, img_size=64, embed_dims=(16, 32, 32, 32), num_heads=(1, 2, 2, 2), depths=(1, 1, 1, 1)), 64),
    "twins_svt": (created("twins_svt_small", img_size=64, embed_dims=(16, 32, 32, 32), num_heads=(1, 2, 2, 2), depths=(2, 2, 2, 2)), 64),
    "volo": (built(tm.VOLO, layers=(1, 1, 1, 1), img_size=64, stem_hidden_dim=16, embed_dims=(24, 48, 48, 48), num_heads=(2, 4, 4, 4),
                   use_aux_head=False), 64),
    "botnet": (with_attention("bottleneck"), 64),
    "halonet": (with_attention("halo", block_size=4, halo_size=1), 64),
    "lambda_resnet": (with_attention("lambda", r=3), 64),
    "eva": (built(tm.Eva, img_size=64, embed_dim=48, depth=2, num_heads=3, swiglu_mlp=True, scale_mlp=True, use_rot_pos_emb=True,
                  qkv_fused=False), 64),
    "dinov2": (created("vit_small_patch14_reg4_dinov2", img_size=56, embed_dim=48, depth=2, num_heads=3), 56),
    "ghostnet": (built(tm.GhostNet, [[[3, 16, 16, 0, 1]], [[3, 48, 24, 0, 2]], [[5, 72, 40, 0.25, 2]]]), 64),
    "tresnet": (created("tresnet_m", layers=[1, 1, 1, 1], width_factor=0.5), 64),
    "nest": (built(tm.Nest, img_size=64, embed_dims=(16, 32, 32), num_heads=(2, 2, 2), depths=(1, 1, 1)), 64),
    "crossvit": (created("crossvit_tiny_240", embed_dim=(24, 48), depth=((1, 1, 0),), num_heads=(3, 3)), 240),
    "focalnet": (built(tm.FocalNet, embed_dim=16, depths=(1, 1, 1, 1)), 64),
    "davit": (built(tm.DaVit, depths=(1, 1, 1, 1), embed_dims=(16, 32, 32, 32), num_heads=(2, 2, 2, 2)), 64),
    "repvit": (built(tm.RepVit, embed_dim=(16, 24, 32, 40), depth=(1, 1, 1, 1)), 64),
    "inception_next": (built(tm.MetaNeXt, depths=(1, 1, 1, 1), dims=(16, 32, 48, 64)), 64),
    "hiera": (built(tm.Hiera, img_size=(64, 64), embed_dim=16, num_heads=1, stages=(1, 1, 1, 1)), 64),
    "starnet": (built(tm.StarNet, base_dim=8, depths=(1, 1, 1, 1)), 64),
    "mobilevit": (created("mobilevit_xxs"), 64),
    "tiny_vit": (built(tm.TinyVit, embed_dims=(16, 32, 32, 64), depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_sizes=(2, 2, 2, 2)), 64),
    "pvt_v2": (built(tm.PyramidVisionTransformerV2, depths=(1, 1, 1, 1), embed_dims=(16, 32, 40, 64)), 64),
    "mambaout": (created("test_mambaout"), 64),
    "rexnet": (created("rexnetr_100", width_mult=0.5, depth_mult=0.5), 64),
    "convnextv2": (created("test_convnext3"), 64),
    "vit_norm": (created("test_vit3", img_size=64), 64),
    "efficientnet_evo": (created("test_efficientnet_evos"), 64),
    "efficientnet_gn": (created("test_efficientnet_gn"), 64),
    "hf_vit": (vision("ViT", image_size=64, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96), 64),
    "hf_swin": (vision("Swin", image_size=64, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4), 64),
    "hf_convnext": (vision("ConvNext", hidden_sizes=[16, 24, 32, 40], depths=[1, 1, 1, 1]), 64),
    "hf_resnet": (vision("ResNet", embedding_size=16, hidden_sizes=[32, 32, 64, 64], depths=[1, 1, 1, 1]), 64),
    "hf_beit": (vision("Beit", image_size=64, hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96,
                       use_relative_position_bias=True), 64),
    "hf_dinov2": (vision("Dinov2", image_size=56, patch_size=14, hidden_size=48, num_hidden_layers=2, num_attention_heads=3), 56),
}
