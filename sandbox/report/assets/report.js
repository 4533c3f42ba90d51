"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = read("themes");
  const figures = read("figures");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const hidden = {};
  let printing = false;

  const palette = () => themes[dark.matches && !printing ? "dark" : "light"];

  const paint = (node, colours) => {
    if (typeof node === "string") return node[0] === "$" ? colours[node.slice(1)] ?? node : node;
    if (Array.isArray(node)) return node.map((item) => paint(item, colours));
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, paint(v, colours)]));
  };

  const frame = (colours) => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    dragmode: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colours.muted },
    hoverlabel: { bgcolor: colours.panel, bordercolor: colours.line, font: { color: colours.ink } },
    margin: { l: 48, r: 12, t: 10, b: 40 },
  });

  const draw = (name) => {
    const place = document.getElementById(`chart-${name}`);
    if (!place || !place.clientWidth) return;
    const colours = palette();
    const figure = paint(figures[name], colours);
    for (const trace of figure.data) {
      if (hidden[name]?.has(trace.legendgroup)) trace.visible = false;
    }
    const layout = { ...frame(colours), ...figure.layout };
    if (place.clientWidth < 480) {
      layout.xaxis = { ...layout.xaxis, nticks: 6 };
      layout.font = { ...layout.font, size: 11 };
    }
    Plotly.react(place, figure.data, layout, {
      displayModeBar: false,
      responsive: true,
      doubleClick: false,
      scrollZoom: false,
    });
  };

  const drawAll = () => Object.keys(figures).forEach(draw);

  document.querySelectorAll(".legend button").forEach((button) => {
    button.addEventListener("click", () => {
      const { chart, group } = button.dataset;
      const off = (hidden[chart] ??= new Set());
      if (!off.delete(group)) off.add(group);
      button.setAttribute("aria-pressed", String(!off.has(group)));
      draw(chart);
    });
  });
  document.querySelectorAll("details").forEach((fold) => {
    fold.addEventListener("toggle", () => {
      if (!fold.open) return;
      fold.querySelectorAll(".plot").forEach((plot) => draw(plot.id.slice("chart-".length)));
    });
  });
  dark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => { printing = true; drawAll(); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
  drawAll();
})();
