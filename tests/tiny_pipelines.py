"""Tiny diffusers pipelines with random weights, from configurations alone, saved as folders.

The architectures are the real ones; sizes follow the projects' own tests where these have one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, models, trainers

_WORDS = 32
_SENTENCES = ["a red fox in the snow", "waves at night", "the quick brown dog", "mountains, fog"]


def _byte_characters() -> list[str]:
    """The 256 characters that stand for bytes in byte-level BPE (OpenAI's GPT-2 table)."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = {byte: chr(256 + place) for place, byte in enumerate(set(range(256)) - {*kept})}
    return [chr(byte) if byte in kept else moved[byte] for byte in range(256)]


def _clip_tokenizer() -> Any:
    characters = _byte_characters()
    pieces = [*characters, *(f"{one}</w>" for one in characters)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: place for place, piece in enumerate(pieces)}
    return transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)


def _t5_tokenizer() -> Any:
    trained = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=60, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"
    )
    trained.train_from_iterator(_SENTENCES, trainer)
    pieces = sorted(trained.get_vocab(), key=trained.get_vocab().__getitem__)
    return transformers.T5Tokenizer(vocab=[(one, -1.0) for one in pieces], extra_ids=0)


def _qwen_tokenizer() -> Any:
    vocab = {piece: place for place, piece in enumerate(_byte_characters())}
    for piece in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        vocab[piece] = len(vocab)
    return transformers.Qwen2Tokenizer(vocab=vocab, merges=[])


def _clip_text(*, projected: bool = False) -> Any:
    config = transformers.CLIPTextConfig(
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
        hidden_size=_WORDS,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        vocab_size=522,
        projection_dim=_WORDS,
        hidden_act="gelu",
    )
    made = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return made(config).eval()


def _t5_text(tokenizer: Any, *, width: int = _WORDS, is_umt5: bool = False) -> Any:
    config_of = transformers.UMT5Config if is_umt5 else transformers.T5Config
    config = config_of(
        d_model=width,
        d_ff=37,
        d_kv=8,
        num_heads=4,
        num_layers=2,
        vocab_size=len(tokenizer) + 8,
        feed_forward_proj="gated-gelu",
    )
    made = transformers.UMT5EncoderModel if is_umt5 else transformers.T5EncoderModel
    return made(config).eval()


def _kl(channels: int = 4, **more: Any) -> Any:
    """A VAE that makes pictures eight times as wide and high as its latents."""
    return diffusers.AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=2,
        sample_size=128,
        **more,
    )


def _unet(**more: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        **{
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "sample_size": 16,
            "in_channels": 4,
            "out_channels": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": _WORDS,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
            **more,
        }
    )


def _scheduler() -> Any:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )


def _flow() -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler()


def sd() -> Any:
    return diffusers.StableDiffusionPipeline(
        vae=_kl(),
        text_encoder=_clip_text(),
        tokenizer=_clip_tokenizer(),
        unet=_unet(),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> Any:
    unet = _unet(
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + _WORDS,
        cross_attention_dim=2 * _WORDS,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=_kl(),
        text_encoder=_clip_text(),
        text_encoder_2=_clip_text(projected=True),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer(),
        unet=unet,
        scheduler=_scheduler(),
    )


def flux() -> Any:
    tokenizer = _t5_tokenizer()
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=_WORDS,
        pooled_projection_dim=_WORDS,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    return diffusers.FluxPipeline(
        scheduler=_flow(),
        vae=_kl(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=_clip_text(),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=_t5_text(tokenizer),
        tokenizer_2=tokenizer,
        transformer=transformer,
    )


def sd3() -> Any:
    tokenizer = _t5_tokenizer()
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=2 * _WORDS,
        caption_projection_dim=32,
        pooled_projection_dim=2 * _WORDS,
        out_channels=16,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=_flow(),
        vae=_kl(16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=_clip_text(projected=True),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=_clip_text(projected=True),
        tokenizer_2=_clip_tokenizer(),
        text_encoder_3=_t5_text(tokenizer, width=2 * _WORDS),
        tokenizer_3=tokenizer,
    )


def qwen_image() -> Any:
    tokenizer = _qwen_tokenizer()
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {
                "mrope_section": [1, 1, 2],
                "rope_type": "default",
                "type": "default",
            },
            "rope_theta": 1000000.0,
            "vocab_size": len(tokenizer) + 8,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
        hidden_size=16,
        vocab_size=len(tokenizer) + 8,
    )
    z = 4
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=z,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * z,
        latents_std=[1.0] * z,
    )
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=16,
        guidance_embeds=False,
        axes_dims_rope=(8, 4, 4),
    )
    return diffusers.QwenImagePipeline(
        scheduler=_flow(),
        vae=vae,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        transformer=transformer,
    )


def _wan_parts(channels_in: int, **more: Any) -> dict[str, Any]:
    tokenizer = _t5_tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": _t5_text(tokenizer, is_umt5=True),
        "vae": diffusers.AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        "scheduler": diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        "transformer": diffusers.WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=channels_in,
            out_channels=16,
            text_dim=_WORDS,
            freq_dim=256,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=64,
            **more,
        ),
    }


def wan() -> Any:
    return diffusers.WanPipeline(**_wan_parts(16))


def wan_i2v(**more: Any) -> Any:
    eye = transformers.CLIPVisionConfig(
        hidden_size=4,
        projection_dim=4,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        intermediate_size=16,
        patch_size=1,
    )
    return diffusers.WanImageToVideoPipeline(
        **_wan_parts(36, image_dim=4, **more),
        image_encoder=transformers.CLIPVisionModelWithProjection(eye).eval(),
        image_processor=transformers.CLIPImageProcessor(crop_size=32, size=32),
    )


def wan_flf() -> Any:
    """As the one above, led to a last picture."""
    return wan_i2v(pos_embed_seq_len=2 * (32 * 32 + 1))


def ltx() -> Any:
    tokenizer = _t5_tokenizer()
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, False),
        decoder_spatio_temporal_scaling=(True, True, True, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        timestep_conditioning=False,
        patch_size=4,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=32,
    )
    return diffusers.LTXPipeline(
        transformer=transformer,
        scheduler=_flow(),
        vae=vae,
        text_encoder=_t5_text(tokenizer),
        tokenizer=tokenizer,
    )


def upscale() -> Any:
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
    )
    return diffusers.StableDiffusionUpscalePipeline(
        unet=_unet(in_channels=7, num_class_embeds=1000),
        low_res_scheduler=diffusers.DDPMScheduler(),
        scheduler=diffusers.DDIMScheduler(prediction_type="v_prediction"),
        vae=vae,
        text_encoder=_clip_text(),
        tokenizer=_clip_tokenizer(),
        max_noise_level=350,
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    one.__name__: one
    for one in (sd, sdxl, flux, sd3, qwen_image, upscale, wan, wan_i2v, wan_flf, ltx)
}


def save(folder: Path, name: str) -> Path:
    """A pipeline's folder; the same name has the same weights, whatever was made before it."""
    place, new = folder / name, folder / f"{name}.new"
    if not place.exists():
        torch.manual_seed(1)
        PIPELINES[name]().save_pretrained(new)
        new.rename(place)
    return place
