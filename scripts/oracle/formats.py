"""Every quantization that MLX has."""

AFFINE = [{"bits": b, "group_size": g, "mode": "affine"} for g in (32, 64, 128) for b in (2, 3, 4, 5, 6, 8)]
FORMATS = AFFINE + [
    {"bits": 4, "group_size": 32, "mode": "mxfp4"},
    {"bits": 8, "group_size": 32, "mode": "mxfp8"},
    {"bits": 4, "group_size": 16, "mode": "nvfp4"},
]


def name(form):
    return f"{form['bits']} bit g{form['group_size']}" if form["mode"] == "affine" else form["mode"]
