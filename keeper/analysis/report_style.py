"""Style sheet of a report page: no fonts, images or sheets from elsewhere."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --surface: #ffffff; --ink: #16202b; --ink-2: #4a5866; --muted: #8794a1; --rule: #dfe4ea;
  --grid: #e9edf1; --accent: #0b5f7d; --good: #1d7a4d; --bad: #b3362d;
  --equity: #1f6fb2; --initial: #c07a12; --maintenance: #c23b32;
  --equity-soft: rgba(31,111,178,.10); --initial-soft: rgba(192,122,18,.10);
  --maintenance-soft: rgba(194,59,50,.09); --muted-soft: rgba(0,0,0,0);
  --series-1: #1f6fb2; --series-2: #c07a12; --series-3: #1d7a4d; --series-4: #8a4fa8; --series-5: #b3362d;
  --series-6: #4a5866;
  --shadow: 0 1px 2px rgba(16,32,48,.06), 0 4px 16px rgba(16,32,48,.05);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10161d; --surface: #182029; --ink: #e8edf2; --ink-2: #b3bfca; --muted: #7f8d9a; --rule: #2b3641;
    --grid: #26303a; --accent: #6fc3df; --good: #5cc48f; --bad: #f0837a;
    --equity: #62aeea; --initial: #e7ab4d; --maintenance: #f0776d;
    --equity-soft: rgba(98,174,234,.14); --initial-soft: rgba(231,171,77,.12);
    --maintenance-soft: rgba(240,119,109,.13);
    --series-1: #62aeea; --series-2: #e7ab4d; --series-3: #5cc48f; --series-4: #c79be0; --series-5: #f0837a;
    --series-6: #b3bfca;
    --shadow: 0 1px 2px rgba(0,0,0,.4);
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header > div, footer { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { background: var(--surface); border-bottom: 1px solid var(--rule); padding: 32px 0 0; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 6px; }
h2 { font-size: 1.25rem; letter-spacing: -.01em; margin: 0 0 4px; }
h3 { font-size: 1rem; margin: 0 0 2px; }
p { margin: 0 0 12px; } .lead { color: var(--ink-2); max-width: 46rem; }
nav { display: flex; gap: 4px 22px; flex-wrap: wrap; padding: 10px 0 12px; }
nav a { color: var(--accent); text-decoration: none; font-size: .92rem; font-weight: 550; }
nav a:hover { text-decoration: underline; }
section { margin: 36px 0; scroll-margin-top: 16px; }
.caption { color: var(--ink-2); font-size: .9rem; max-width: 50rem; }
.card { background: var(--surface); border: 1px solid var(--rule); border-radius: 10px;
  padding: 18px 18px 12px;
  box-shadow: var(--shadow); min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 28px 0 0; }
.tile { background: var(--surface); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px;
  box-shadow: var(--shadow); }
.tile .label { color: var(--ink-2); font-size: .84rem; }
.tile .value { font-size: 1.5rem; font-weight: 640; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.tile .note { color: var(--muted); font-size: .82rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 16px; }
.plot { width: 100%; height: 340px; overflow: hidden; } .plot.tall { height: 420px; }
  .plot.short { height: 250px; }
.controls { display: flex; flex-wrap: wrap; gap: 10px 18px; margin: 4px 0 10px; align-items: center; }
label { color: var(--ink-2); font-size: .9rem; }
select { font: inherit; font-size: .95rem; color: var(--ink); background: var(--surface); padding: 6px 10px;
  border: 1px solid var(--rule); border-radius: 7px; max-width: 100%; }
.scroll { overflow-x: auto; margin-top: 14px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--ink-2); font-weight: 550; font-size: .82rem; }
table.checks td { white-space: normal; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
tbody tr.pick { cursor: pointer; } tbody tr.pick:hover { background: var(--equity-soft); }
tbody tr[aria-selected="true"] { background: var(--equity-soft); box-shadow: inset 3px 0 var(--equity); }
td button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: left; }
.bar { display: inline-block; vertical-align: middle; width: 64px; height: 7px; border-radius: 4px;
  background: var(--grid); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); } .bar i.low { background: var(--bad); }
.ok { color: var(--good); font-weight: 600; } .no { color: var(--bad); font-weight: 600; }
.facts { color: var(--ink-2); font-size: .87rem; margin: 0 0 4px; }
.caveat { border-left: 3px solid var(--initial); padding: 2px 0 2px 14px; color: var(--ink-2);
  max-width: 50rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 18px; font-size: .92rem;
  margin: 8px 0 0; }
dt { color: var(--ink-2); } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: .84rem; padding-top: 8px; padding-bottom: 40px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
@media (max-width: 860px) { .tiles { grid-template-columns: 1fr 1fr; } }
@media (max-width: 600px) {
  main, header > div, footer { padding: 0 14px; }
  h1 { font-size: 1.4rem; } .tiles { gap: 8px; }
  .tile { padding: 10px 12px; } .tile .value { font-size: 1.2rem; }
  .card { padding: 14px 10px 8px; } .plot { height: 300px; } .plot.tall { height: 330px; }
  select { width: 100%; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { nav, .controls { display: none; } .card, .tile { box-shadow: none; }
  section { break-inside: avoid; } }
"""
