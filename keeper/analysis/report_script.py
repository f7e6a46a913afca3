"""Script of a report page: draws the figures, again when the colour scheme changes, and switches them."""

SCRIPT = """
(function () {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const resolved = value => {
    if (typeof value === "string") return /^--[a-z0-9-]+$/.test(value)
      ? css(value) || "rgba(0,0,0,0)" : value;
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner)]));
    return value;
  };
  const merged = (base, over) => {
    const result = Object.assign({}, base);
    for (const [key, value] of Object.entries(over || {}))
      result[key] = value && typeof value === "object" && !Array.isArray(value) ? merged(base[key] || {},
        value) : value;
    return result;
  };
  const axis = { gridcolor: "--grid", linecolor: "--rule", zerolinecolor: "--rule",
    tickfont: { color: "--ink-2" },
    title: { font: { color: "--ink-2", size: 12 }, standoff: 8 }, automargin: true };
  const scene = { gridcolor: "--rule", zerolinecolor: "--rule", showbackground: false,
    tickfont: { color: "--ink-2" },
    title: { font: { color: "--ink-2", size: 12 } } };
  const base = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", separators: ".,",
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif", size: 12,
      color: "--ink" },
    margin: { l: 56, r: 12, t: 12, b: 36 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0,
      xanchor: "left" },
    hoverlabel: { bgcolor: "--surface", bordercolor: "--rule", font: { color: "--ink" } }, xaxis: axis,
      yaxis: axis };
  const config = { responsive: true, displaylogo: false,
    displayModeBar: false };
  const shown = new Map();
  const draw = (box, name) => {
    shown.set(box, name);
    box.setAttribute("aria-label", name);
    const figure = figures[name];
    const layout = merged(base, figure.layout);
    if (layout.scene) {
      for (const side of ["xaxis", "yaxis", "zaxis"]) layout.scene[side] = merged(scene, layout.scene[side]);
      delete layout.xaxis; delete layout.yaxis;
    }
    if (figure.layout.height) box.style.height = figure.layout.height + "px";
    try {
      Plotly.react(box, resolved(figure.data), resolved(layout), config);
    } catch (error) {
      box.textContent = "This figure cannot be drawn here: " + error.message;
    }
  };
  const watcher = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) {
      watcher.unobserve(entry.target);
      draw(entry.target, entry.target.dataset.figure);
    }
  }, { rootMargin: "400px" });
  document.querySelectorAll("[data-figure]").forEach(box => watcher.observe(box));
  const choose = (select, name) => {
    select.value = name;
    const box = document.getElementById(select.dataset.target);
    box.dataset.figure = name;
    watcher.unobserve(box);
    draw(box, name);
    document.querySelectorAll("tr[data-choose]").forEach(row => {
      if (row.dataset.select === select.id) row.setAttribute("aria-selected",
        String(row.dataset.choose === name));
    });
  };
  document.querySelectorAll("select[data-target]").forEach(select =>
    select.addEventListener("change", () => choose(select, select.value)));
  document.querySelectorAll("tr[data-choose]").forEach(row => row.addEventListener("click", () => {
    choose(document.getElementById(row.dataset.select), row.dataset.choose);
    document.getElementById("accounts").scrollIntoView();
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown.forEach((name,
    box) => draw(box, name)));
  addEventListener("beforeprint", () => document.querySelectorAll("[data-figure]").forEach(box => draw(box,
    box.dataset.figure)));
})();
"""
