"""The look of the page: a theme of the system's own fonts, so that nothing is fetched, and a little CSS."""

import gradio as gr

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Cantarell", "Noto Sans", "sans-serif")
FONT_MONO = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

CSS = """
.gradio-container { max-width: 1180px !important; width: 100% !important; min-width: 0; margin: 0 auto !important; }
#title h1 { font-size: 2rem; font-weight: 650; letter-spacing: -0.02em; margin-bottom: 0; }
#title p { color: var(--body-text-color-subdued); margin-top: 0.2rem; }
#picture img { object-fit: contain; }
#roll img { width: 100%; }
#examples > .gallery { display: grid; grid-template-columns: repeat(6, 1fr); gap: 0.5rem; }
#examples .container { width: 100%; height: auto; aspect-ratio: 1; }
#music .error { display: none; } /* the message beside it is more exact */
#seed { flex-wrap: nowrap; }
#dice { min-width: 4rem; max-width: 4rem; font-size: 1.8rem; line-height: 1; }
#recent .grid-wrap { min-height: 0; height: auto; padding: 0; overflow: visible; }
#recent .grid-container { grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)) !important; padding: 0; }
#recent .thumbnail-item { aspect-ratio: 3; }
#recent img { object-fit: cover !important; }

.dials { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.35rem 2rem; }
.dials h4 { grid-column: 1 / -1; margin: 0 0 0.2rem; font-size: 0.85rem; font-weight: 600; }
.dials .dial { display: grid; grid-template-columns: 6rem 1fr; align-items: center; column-gap: 0.6rem; }
.dials .name { font-size: 0.85rem; }
.dials .bar { position: relative; height: 0.4rem; border-radius: 0.2rem; background: var(--border-color-primary); }
.dials .bar i { position: absolute; top: 0; bottom: 0; border-radius: 0.2rem; background: var(--color-accent); }
.dials .ends { grid-column: 2; display: flex; justify-content: space-between; }
.dials .ends span { color: var(--body-text-color-subdued); font-size: 0.7rem; line-height: 1.2; }
"""


def theme() -> gr.themes.Base:
    """Soft corners, quiet labels and one accent, in light and dark."""
    quiet = {
        f"block_{part}_{what}{mode}": value
        for part in ("label", "title")
        for what, value in (("background_fill", "transparent"), ("text_color", "*body_text_color"))
        for mode in ("", "_dark")
    }
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.indigo,
        secondary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=FONT,
        font_mono=FONT_MONO,
    ).set(
        **quiet,
        body_background_fill="*neutral_100",
        block_title_padding="0",
        block_label_shadow="none",
        block_label_border_width="0px",
    )
