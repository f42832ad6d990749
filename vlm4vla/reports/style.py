"""How the page looks. Colours: Okabe & Ito's, told apart by colour-blind readers and in print."""

from vlm4vla.reports.figures.drawing import STYLE as DRAWING

_PAGE = """
:root { --ink: #1b1f24; --soft: #5b6470; --rule: #d5dae0; --paper: #fff; --wash: #f4f6f8;
  --blue: #0072b2; --orange: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 28px; margin: 0; } h2 { font-size: 21px; margin: 40px 0 8px; }
h3 { font-size: 16px; margin: 24px 0 4px; overflow-wrap: anywhere; }
h4 { font-size: 14px; margin: 14px 0 2px; }
header p, .notes, article p { color: var(--soft); font-size: 14px; margin: 4px 0 0; }
nav { margin: 12px 0 0; font-size: 14px; line-height: 1.9; }
nav a { color: var(--blue); margin-right: 14px; text-decoration: none; white-space: nowrap; }
.legend { font-size: 14px; margin-top: 8px; } .legend ul { margin: 0; }
.wide { overflow-x: auto; }
.warning { border-left: 4px solid var(--orange); background: var(--wash); padding: 8px 12px; }
table.board { width: 100%; border-collapse: collapse; font-size: 15px; }
.board th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--ink); }
.board th, .board td { padding: 6px 12px 6px 0; vertical-align: top; }
.board td { border-bottom: 1px solid var(--rule); }
.board td:first-child { font-weight: 600; overflow-wrap: anywhere; min-width: 9em; }
.board .number { text-align: right; font-variant-numeric: tabular-nums; }
.board i { font-style: normal; white-space: nowrap; color: var(--soft); }
.board small { display: block; color: var(--soft); font-weight: 400; }
.plots { display: grid; gap: 8px 28px; margin-top: 16px;
  grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.pair { grid-template-columns: minmax(300px, 1fr) 2fr; }
.large { grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.said { font-size: 15px; } .said ul { margin: 0; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: 14px; overflow-wrap: anywhere; }
figure.sheet { margin-top: 12px; } figure img { max-width: 100%; border: 1px solid var(--rule); }
svg { width: 100%; max-width: 560px; height: auto; display: block; }
pre { background: var(--wash); padding: 8px 12px; font-size: 13px; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: 6px 0; max-height: 20em; overflow-y: auto; }
code { font-size: 13px; overflow-wrap: anywhere; } ul { padding-left: 20px; }
article { border-top: 1px solid var(--rule); } summary { cursor: pointer; color: var(--blue); }
dl { display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 1px 16px;
  margin: 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 700px) {
  main { padding: 16px 14px 48px; }
  .board thead { display: none; }
  .board tr { display: block; border-bottom: 2px solid var(--rule); padding: 8px 0; }
  .board td { display: flex; justify-content: space-between; gap: 16px; border: 0; padding: 1px 0; }
  .board td:has(span:empty) { display: none; }
  .board td::before { content: attr(data-name); color: var(--soft); font-weight: 400; }
  .board td:first-child { font-size: 17px; } .board td:first-child::before { content: none; }
  .board td > span, .board .number { text-align: right; }
  .board td:first-child > span { text-align: left; }
  .plots, .pair { grid-template-columns: 1fr; }
  .sheet img { max-width: none; width: 760px; }
}
@media print {
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
  nav { display: none; } .wide { overflow: visible; }
  h2, h3, figcaption { break-after: avoid; }
  pre { max-height: none; } tr, svg, pre, dl { break-inside: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""

STYLE = _PAGE + DRAWING
