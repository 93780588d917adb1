"""Pictures of results for people who would rather look than read: a film with what was found drawn over it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from numbering.pipelines.films import window_to_grey
from numbering.result import Findings, Status
from numbering.study import Radiograph

GREEN, AMBER, WHITE = (60, 230, 90), (255, 176, 0), (255, 255, 255)
LONG_SIDE = 1400
DISCLAIMER = "AI result, not verified. Research use only."


def draw_film(film: Radiograph, findings: Findings, path: Path) -> Path:
    """Write a PNG of the film: numbered vertebrae green, candidates of an abstention amber, the status in words."""
    grey = window_to_grey(film.pixels)
    scale = LONG_SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    picture = Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.LANCZOS)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=LONG_SIDE / 60)

    def outline(box: tuple[float, float, float, float], text: str, colour: tuple[int, int, int]) -> None:
        x0, y0, x1, y1 = ((value + 0.5) * scale for value in box)
        draw.rectangle([x0, y0, x1, y1], outline=colour, width=3)
        draw.text(
            (x1 + 8, (y0 + y1) / 2), text, fill=colour, font=font, anchor="lm", stroke_width=2, stroke_fill="black"
        )

    here = (film.sop_instance_uid, film.frame)
    for vertebra in findings.vertebrae:
        if (vertebra.sop_instance_uid, vertebra.frame) == here:
            outline(vertebra.box, f"{vertebra.level} {vertebra.probability:.2f}, presumed", GREEN)
    numbered_here = any((vertebra.sop_instance_uid, vertebra.frame) == here for vertebra in findings.vertebrae)
    for candidate in findings.candidates:
        if (candidate.sop_instance_uid, candidate.frame) == here and not numbered_here:
            outline(candidate.box, f"candidate {candidate.score:.2f}", AMBER)
    words = DISCLAIMER
    if findings.status is Status.ABSTAINED and findings.reason:
        words = f"Abstained: {findings.reason.code}. {DISCLAIMER}"
    draw.text((10, 10), words, fill=WHITE, font=font, stroke_width=2, stroke_fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path
