"""Draw the bundled example pictures: six covers, from calm to wild, out of noise and gradients.

python scripts/examples/make_examples.py --out imagemusic/resources/examples
python scripts/examples/make_examples.py --first-seed 11 --out runs/more_examples    # other pictures of the kind
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brushes import ACROSS, DOWN, SIDE, Picture, building, colours, glow, mix, noise, ridge, shape, tree
from PIL import Image, ImageDraw, ImageFilter

FINAL_SIDE = 512  # drawn at twice the size, which smooths every edge


def dusk_sea(rng: np.random.Generator) -> Picture:
    horizon = 0.6
    sky = colours(
        DOWN / horizon,
        [(0, 38, 36, 84), (0.4, 108, 74, 130), (0.7, 214, 117, 128), (0.9, 250, 176, 122), (1, 255, 214, 150)],
    )
    clouds = noise(rng, 9, 2)
    sky = mix(sky, (0.99, 0.64, 0.55), np.clip(clouds - 0.52, 0, 1) * 1.7 * np.clip(DOWN / horizon, 0, 1))
    sky = mix(sky, (0.30, 0.22, 0.42), np.clip(noise(rng, 12, 2) - 0.62, 0, 1) * 2.0)
    sky = mix(sky, (1.0, 0.86, 0.62), glow(0.62, horizon - 0.05, 0.17) * 0.75)
    sun = np.clip((0.062 - np.hypot(ACROSS - 0.62, DOWN - horizon + 0.045)) * SIDE / 3, 0, 1)
    sky = mix(sky, (1.0, 0.96, 0.83), sun)
    depth = np.clip((DOWN - horizon) / (1 - horizon), 0, 1)
    sea = colours(depth, [(0, 236, 160, 132), (0.12, 176, 112, 132), (0.5, 84, 66, 120), (1, 28, 30, 72)])
    # Waves: noise stretched along the horizon, finer the farther away.
    near, far = noise(rng, 40, 5, 4), noise(rng, 150, 12, 3)
    waves = near * depth + far * (1 - depth)
    sea *= (0.86 + 0.28 * waves)[..., None]
    road = np.exp(-(((ACROSS - 0.62) / (0.035 + 0.16 * depth)) ** 2))
    sea = mix(sea, (1.0, 0.87, 0.66), road * np.clip((waves - 0.42 - 0.12 * depth) * 6, 0, 1) * (1 - 0.35 * depth))
    picture = np.where((horizon < DOWN)[..., None], sea, sky)

    def boat(draw: ImageDraw.ImageDraw) -> None:
        draw.polygon([(268, 632), (356, 632), (342, 652), (284, 652)], fill=255)
        draw.polygon([(308, 516), (308, 626), (268, 626)], fill=255)
        draw.polygon([(314, 534), (314, 626), (350, 626)], fill=255)

    picture = mix(picture, (0.13, 0.09, 0.20), shape(boat, 1.0))
    reflection = shape(lambda draw: draw.polygon([(284, 654), (342, 654), (324, 742), (300, 742)], fill=150), 7)
    return mix(picture, (0.16, 0.12, 0.26), reflection * (0.35 + 0.65 * waves))


def storm(rng: np.random.Generator) -> Picture:
    swirl = noise(rng, 3, 3)
    bent = np.clip(DOWN + 0.35 * (swirl - 0.5), 0, 0.999), np.clip(ACROSS + 0.35 * (noise(rng, 3, 3) - 0.5), 0, 0.999)
    clouds = noise(rng, 4, 3, 7)[(bent[0] * SIDE).astype(int), (bent[1] * SIDE).astype(int)]
    picture = colours(clouds, [(0, 9, 13, 21), (0.4, 28, 40, 54), (0.7, 62, 82, 96), (1, 142, 162, 168)])
    picture *= (1.0 - 0.45 * np.abs(DOWN - 0.38))[..., None]
    bolts = [(610.0, 150.0, 9.0, 0.0)]
    segments: list[tuple[float, float, float, float, float]] = []
    while bolts:
        x, y, width, lean = bolts.pop()
        while y < 742 and width > 1.2:
            step_x, step_y = rng.normal(lean, 21), rng.uniform(10, 34)
            segments.append((x, y, x + step_x, y + step_y, width))
            x, y, width = x + step_x, y + step_y, width * (0.997 if lean == 0 else 0.93)
            if rng.random() < 0.17 and width > 3:
                bolts.append((x, y, width * 0.55, rng.choice([-1, 1]) * rng.uniform(10, 22)))

    def lightning(scale: float) -> Callable[[ImageDraw.ImageDraw], None]:
        def draw_all(draw: ImageDraw.ImageDraw) -> None:
            for x0, y0, x1, y1, width in segments:
                draw.line([(x0, y0), (x1, y1)], fill=255, width=max(1, round(width * scale)))

        return draw_all

    picture = mix(picture, (0.62, 0.70, 0.95), glow(0.6, 0.3, 0.22) * (0.25 + 0.6 * clouds))
    picture = mix(picture, (0.66, 0.66, 1.0), shape(lightning(3), 34) * 0.9 + shape(lightning(2), 9) * 0.6)
    picture = mix(picture, (1.0, 0.99, 1.0), shape(lightning(0.8), 1))
    for height, shade in ((0.71, 0.62), (0.78, 0.36), (0.86, 0.12)):
        picture = mix(picture, (0.10 * shade, 0.15 * shade, 0.19 * shade), ridge(rng, height, 0.09, 4))

    def rain(draw: ImageDraw.ImageDraw) -> None:
        for x, y, length in zip(
            rng.uniform(0, 1200, 900), rng.uniform(-80, SIDE, 900), rng.uniform(20, 70, 900), strict=True
        ):
            draw.line([(x, y), (x - length * 0.28, y + length)], fill=int(rng.integers(40, 120)), width=2)

    return mix(picture, (0.72, 0.80, 0.88), shape(rain, 1.2) * 0.55)


def meadow(rng: np.random.Generator) -> Picture:
    picture = colours(DOWN / 0.6, [(0, 74, 160, 232), (0.6, 148, 208, 246), (1, 226, 243, 246)])
    puffs = noise(rng, 6, 4, 7)
    picture = mix(picture, (1, 1, 1), np.clip((puffs - 0.56) * 4, 0, 0.95) * np.clip(1.3 - DOWN / 0.5, 0, 1))
    picture = mix(picture, (1.0, 0.97, 0.78), glow(0.22, 0.18, 0.16) * 0.85)
    picture = mix(picture, (1.0, 0.99, 0.90), np.clip((0.055 - np.hypot(ACROSS - 0.22, DOWN - 0.18)) * SIDE / 4, 0, 1))
    hills = [
        (0.50, 0.10, 2, (150, 196, 176), (126, 184, 150)),
        (0.57, 0.10, 2, (140, 200, 110), (104, 176, 88)),
        (0.66, 0.12, 2, (170, 216, 84), (98, 176, 62)),
        (0.78, 0.10, 1, (150, 206, 66), (52, 138, 44)),
    ]
    for number, (height, rough, peaks, light, dark) in enumerate(hills):
        cover = ridge(rng, height, rough, peaks, 2)
        slope = np.clip((DOWN - height + rough / 2) / 0.28, 0, 1)
        grass = colours(slope, [(0, *light), (1, *dark)])
        grass *= (0.92 + 0.16 * noise(rng, 50 + 20 * number, 10 + 8 * number, 3))[..., None]
        picture = mix(picture, grass, cover)
        if number == 2:
            picture = tree(rng, picture, 742, 690)
    palette = [(255, 255, 255), (255, 214, 70), (240, 84, 96), (248, 150, 190), (150, 110, 220)]
    for colour in palette:

        def flowers(draw: ImageDraw.ImageDraw) -> None:
            middle, spread = rng.uniform(0.1, 0.9) * SIDE, rng.uniform(120, 330)
            for y in 838 + 190 * rng.random(46):
                x, size = rng.normal(middle, spread), 1.5 + 8 * (y - 838) / 190
                for angle in np.arange(5) * 2 * np.pi / 5:
                    px, py = x + size * np.cos(angle), y + size * 0.8 * np.sin(angle)
                    draw.ellipse([px - size * 0.7, py - size * 0.6, px + size * 0.7, py + size * 0.6], fill=255)

        picture = mix(picture, np.array(colour) / 255, shape(flowers, 0.8))
    return picture


def neon_city(rng: np.random.Generator) -> Picture:
    shore = 0.7
    picture = colours(DOWN / shore, [(0, 10, 6, 34), (0.45, 48, 14, 92), (0.8, 150, 24, 140), (1, 255, 88, 150)])
    stars = (rng.random((SIDE, SIDE)) > 0.9994) * np.clip(1 - DOWN / 0.45, 0, 1)
    blurred = Image.fromarray((stars * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.2))
    picture = mix(picture, (0.9, 0.9, 1.0), np.asarray(blurred, dtype=np.float32) / 40)
    distance = np.hypot(ACROSS - 0.5, DOWN - 0.42)
    sun = np.clip((0.23 - distance) * SIDE / 3, 0, 1)
    # Gaps in the sun widen towards the horizon.
    band = np.clip((DOWN - 0.38) * 2.6, 0, 0.75) > ((DOWN - 0.40) * 26) % 1
    picture = mix(picture, (1.0, 0.30, 0.62), np.exp(-((distance / 0.30) ** 2)) * 0.55)
    picture = mix(
        picture,
        colours((DOWN - 0.19) / 0.46, [(0, 255, 226, 120), (0.5, 255, 110, 120), (1, 224, 40, 160)]),
        sun * (1 - band),
    )
    for layer, (shade, least, most) in enumerate((((0.22, 0.07, 0.36), 0.30, 0.50), ((0.09, 0.03, 0.19), 0.40, 0.62))):
        x = -20
        while x < SIDE:
            width, top = int(rng.integers(46, 110)), int(rng.uniform(least, most) * SIDE)
            if abs(x + width / 2 - SIDE / 2) < 190:
                top = int(top + (0.13 - 0.02 * layer) * SIDE)
            picture = building(rng, picture, (x, min(top, 650), x + width, int(shore * SIDE)), shade, layer)
            x += width + int(rng.integers(0, 12))
    light = picture.copy()
    for channel in range(3):
        plane = Image.fromarray((np.clip(light[..., channel], 0, 1) * 255).astype(np.uint8))
        light[..., channel] = np.asarray(plane.filter(ImageFilter.GaussianBlur(14)), dtype=np.float32) / 255
    picture = 1 - (1 - np.clip(picture, 0, 1)) * (1 - 0.45 * light)
    # The water shows the city upside down, shaken sideways.
    depth = np.clip((DOWN - shore) / (1 - shore), 0, 1)
    row = np.clip((2 * shore - DOWN) * SIDE, 0, shore * SIDE - 1).astype(int)
    shake = (noise(rng, 110, 4, 3) - 0.5) * (0.012 + 0.07 * depth)
    column = np.clip((ACROSS + shake) * SIDE, 0, SIDE - 1).astype(int)
    water = picture[row, column] * (0.78 - 0.45 * depth)[..., None] + np.array([0.02, 0.0, 0.06], dtype=np.float32)
    return np.where((shore < DOWN)[..., None], water, picture).astype(np.float32)


def fire(rng: np.random.Generator) -> Picture:
    bend, curl = noise(rng, 3, 3, 4) - 0.5, noise(rng, 5, 5, 4) - 0.5
    row = np.clip((DOWN * 0.6 + 0.34 * bend + 0.2) * SIDE, 0, SIDE - 1).astype(int)
    column = np.clip(
        (ACROSS * 0.8 + 0.1 + (0.30 * curl + 0.16 * bend) * (1.15 - 0.5 * DOWN)) * SIDE, 0, SIDE - 1
    ).astype(int)
    tongues = noise(rng, 2, 7, 7)[row, column]
    fine = noise(rng, 4, 16, 5)[row, column]
    sharp = 1 - np.abs(2 * tongues - 1)
    heat = 0.62 * sharp + 0.26 * fine + 0.75 * (DOWN - 0.62) - 0.25 * np.abs(ACROSS - 0.5) + 0.08
    heat = np.clip(heat, 0, 1).astype(np.float32)
    picture = colours(
        heat,
        [
            (0, 8, 2, 8),
            (0.2, 52, 4, 14),
            (0.4, 160, 20, 10),
            (0.6, 244, 92, 12),
            (0.8, 255, 184, 44),
            (1, 255, 248, 196),
        ],
    )

    def embers(draw: ImageDraw.ImageDraw) -> None:
        for _ in range(170):
            x, y, size = rng.uniform(0, SIDE), SIDE * rng.random() ** 0.7, rng.exponential(2.0) + 0.8
            draw.line(
                [(x, y), (x + rng.normal(0, 5), y - rng.uniform(2, 16))],
                fill=int(rng.integers(120, 256)),
                width=round(size),
            )

    picture = mix(picture, (1.0, 0.45, 0.10), shape(embers, 6) * 1.2)
    return mix(picture, (1.0, 0.88, 0.55), shape(embers, 0.8))


def snowfall(rng: np.random.Generator) -> Picture:
    picture = colours(DOWN, [(0, 150, 158, 168), (0.5, 188, 194, 200), (1, 214, 217, 220)])
    picture *= (0.95 + 0.1 * noise(rng, 3, 2, 4))[..., None]
    for layer, (foot, tall, count, shade) in enumerate(
        ((0.58, 0.13, 60, 0.66), (0.64, 0.20, 36, 0.53), (0.71, 0.30, 20, 0.38), (0.80, 0.44, 8, 0.22))
    ):
        picture = mix(picture, (0.80, 0.82, 0.84), ridge(rng, foot - 0.02, 0.05, 2, 3) * 0.9)
        firs = [
            (rng.uniform(-0.05, 1.05), foot + rng.uniform(-0.02, 0.03), tall * rng.uniform(0.55, 1.0))
            for _ in range(count)
        ]
        if layer == 3:  # the nearest leave the middle open
            firs = [(x * 0.32 if x < 0.5 else 1 - (1 - x) * 0.32, y, height) for x, y, height in firs]

        def forest(draw: ImageDraw.ImageDraw, firs: list[tuple[float, float, float]] = firs) -> None:
            for x, y, height in firs:
                for level in range(9):
                    part = (level + 1) / 9
                    top, low = (y - height * (1 - level / 10)) * SIDE, (y - height * (1 - part)) * SIDE
                    half = height * 0.24 * part * rng.uniform(0.85, 1.1) * SIDE
                    draw.polygon([(x * SIDE, top), (x * SIDE - half, low), (x * SIDE + half, low)], fill=255)

        picture = mix(picture, (shade * 0.93, shade * 0.98, shade * 1.05), shape(forest, 1.5 - 0.3 * layer))
        picture = mix(picture, (0.80, 0.82, 0.85), np.exp(-(((DOWN - foot) / 0.045) ** 2)) * (0.85 - 0.15 * layer))
    ground = ridge(rng, 0.82, 0.07, 1, 3)
    snow = colours(np.clip((DOWN - 0.8) / 0.2, 0, 1), [(0, 208, 213, 219), (1, 238, 240, 243)])
    picture = mix(picture, snow * (0.97 + 0.06 * noise(rng, 30, 8, 4))[..., None], ground)

    def walker(draw: ImageDraw.ImageDraw) -> None:
        draw.ellipse([496, 760, 512, 777], fill=255)
        draw.polygon([(491, 838), (495, 779), (513, 779), (519, 838)], fill=255)
        draw.line([(499, 836), (497, 866)], fill=255, width=6)
        draw.line([(511, 836), (514, 866)], fill=255, width=6)

    picture = mix(picture, (0.52, 0.10, 0.12), shape(walker, 1))
    for size, count, blur, strength in ((2.0, 900, 0.8, 0.8), (4.5, 260, 2.0, 0.75), (11.0, 46, 6.0, 0.6)):

        def flakes(draw: ImageDraw.ImageDraw, size: float = size, count: int = count) -> None:
            for x, y in rng.uniform(0, SIDE, (count, 2)):
                draw.ellipse([x - size, y - size, x + size, y + size], fill=255)

        picture = mix(picture, (0.98, 0.99, 1.0), shape(flakes, blur) * strength)
    return picture


EXAMPLES: dict[str, Callable[[np.random.Generator], Picture]] = {
    "dusk_sea": dusk_sea,
    "storm": storm,
    "meadow": meadow,
    "neon_city": neon_city,
    "fire": fire,
    "snowfall": snowfall,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/examples"))
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="of the first picture (%(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed, (name, paint) in enumerate(EXAMPLES.items(), start=arguments.first_seed):
        picture = np.clip(paint(np.random.default_rng(seed)), 0, 1)
        image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
        path = arguments.out / f"{name}.jpg"
        image.resize((FINAL_SIDE, FINAL_SIDE), Image.Resampling.LANCZOS).save(path, quality=88, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
