"""Style sheets of the HTML pages: colours and font of every page, and the layout of a report."""

# Colours follow the reader's light or dark theme.
BASE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #fff; --ink: #23252b; --faint: #6d7079; --line: #d9d7d0; --mark: #1f6f8b; --warm: #b4531f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17191f; --card: #20232b; --ink: #e6e7ea; --faint: #9a9ea8; --line: #363a44; --mark: #63b9d6;
    --warm: #e39363;
  }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
"""

REPORT = """
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 50rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
.faint { color: var(--faint); }
.warn { border-left: 3px solid var(--warm); padding-left: .8rem; }
.yes, .no { color: var(--mark); font-weight: 600; }
.no { color: var(--warm); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td, th {
  text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
}
svg { width: 100%; height: auto; display: block; margin: .5rem 0; overflow: visible; }
svg text { fill: var(--ink); font-size: 13px; }
svg text.small { font-size: 11px; }
svg text.value { font-size: 12px; }
svg text.faint { fill: var(--faint); }
svg .axis { stroke: var(--faint); stroke-dasharray: 3 3; }
svg .bar { stroke: var(--mark); stroke-width: 2.5; }
svg .dot { fill: var(--mark); stroke: var(--mark); stroke-width: 2; }
svg .hollow { fill: var(--paper); }
svg .frame { fill: none; stroke: var(--line); }
svg .band { fill: var(--mark); opacity: .22; }
svg .curve { fill: none; stroke: var(--mark); stroke-width: 2; }
svg .point { fill: var(--mark); opacity: .65; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; }
.pair > div { flex: 1 1 300px; }
figure {
  display: grid; grid-template-columns: minmax(110px, 170px) 1fr; gap: .4rem 1rem; margin: 1rem 0; align-items: start;
}
figure img { width: 100%; border-radius: 4px; }
figure audio { width: 100%; }
figcaption { grid-column: 1 / -1; font-size: .85rem; color: var(--faint); }
"""
