"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 58, right: 12, top: 8, bottom: 26 };
  const MOST_IN_TIP = 12;
  const data = JSON.parse(document.getElementById("data").textContent);
  const shown = {
    runs: new Set(data.runs.keys()),
    figures: new Set(data.shown),
    log: false,
    range: null, // of steps: [from, to], or null for all
  };
  const byId = (id) => document.getElementById(id);
  const color = (run) => `var(--s${run % 10})`;

  function element(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  }

  function spoken(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e6) return value.toExponential(2);
    return Number(value.toPrecision(5)).toLocaleString("en", { maximumFractionDigits: 6 });
  }

  // The visible lines of a figure: one for each run and phase.
  function linesOf(figure) {
    const lines = [];
    for (const run of shown.runs) {
      for (const [phase, [steps, values]] of Object.entries(data.runs[run].curves[figure] || {})) {
        lines.push({ run, phase, steps, values });
      }
    }
    return lines;
  }

  // Of the chosen runs.
  function lastStep() {
    let last = 1;
    for (const run of shown.runs)
      for (const phases of Object.values(data.runs[run].curves))
        for (const [steps] of Object.values(phases)) last = Math.max(last, steps[steps.length - 1]);
    return last;
  }

  // Round numbers between two ends, about `count` of them.
  function ticks(from, to, count) {
    const rough = (to - from) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const unit = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
    const found = [];
    for (let i = Math.ceil(from / unit); i * unit <= to + unit * 1e-9; i += 1) found.push(i * unit);
    return found;
  }

  // Of a logarithmic axis: its powers of ten, or round numbers where there are too few.
  function logTicks(from, to) {
    const powers = [];
    for (let p = Math.ceil(from); p <= Math.floor(to); p += 1) powers.push(p);
    if (powers.length >= 2) {
      const every = Math.ceil(powers.length / 6);
      return powers.filter((p) => p % every === 0);
    }
    return ticks(10 ** from, 10 ** to, 5).filter((v) => v > 0).map(Math.log10);
  }

  function extent(lines, range, log) {
    let low = Infinity, high = -Infinity;
    const see = (value) => {
      if (value === null || (log && value <= 0)) return;
      low = Math.min(low, log ? Math.log10(value) : value);
      high = Math.max(high, log ? Math.log10(value) : value);
    };
    for (const { steps, values } of lines) {
      values.forEach((value, i) => {
        if (steps[i] >= range[0] && steps[i] <= range[1]) see(value);
        if (i === 0 || value === null || values[i - 1] === null) return;
        for (const edge of range) // where the line goes in or out
          if (steps[i - 1] < edge && edge < steps[i])
            see(values[i - 1] + ((value - values[i - 1]) * (edge - steps[i - 1])) / (steps[i] - steps[i - 1]));
      });
    }
    if (low > high) return [0, 1];
    const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 0.5;
    return [low - room, high + room];
  }

  function pathOf(line, x, y, log) {
    let path = "", pen = "M";
    line.values.forEach((value, i) => {
      if (value === null || (log && value <= 0)) {
        pen = "M";
        return;
      }
      path += `${pen}${x(line.steps[i]).toFixed(1)} ${y(log ? Math.log10(value) : value).toFixed(1)}`;
      pen = "L";
    });
    return path;
  }

  function chart(figure, number) {
    const box = document.createElement("figure");
    box.className = "chart";
    box.dataset.chart = figure;
    const caption = document.createElement("figcaption");
    caption.textContent = figure.replaceAll("_", " ");
    const svg = element("svg", { role: "img", "aria-label": `${figure} by step` });
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    box.append(caption, svg, tip);
    byId("charts").append(box);

    const width = Math.max(200, svg.clientWidth), height = svg.clientHeight || 240;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const range = shown.range || [0, lastStep()];
    const lines = linesOf(figure);
    const log = shown.log && lines.every((l) => l.values.every((v) => v === null || v > 0));
    const [low, high] = extent(lines, range, log);
    const inner = { right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const x = (step) => MARGIN.left + ((step - range[0]) / (range[1] - range[0])) * (inner.right - MARGIN.left);
    const y = (value) => inner.bottom - ((value - low) / (high - low)) * (inner.bottom - MARGIN.top);
    const stepAt = (px) => range[0] + ((px - MARGIN.left) / (inner.right - MARGIN.left)) * (range[1] - range[0]);

    for (const tick of log ? logTicks(low, high) : ticks(low, high, 6)) {
      element("line", { class: "grid", x1: MARGIN.left, x2: inner.right, y1: y(tick), y2: y(tick) }, svg);
      const text = element("text", { x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end" }, svg);
      text.textContent = spoken(log ? 10 ** tick : tick);
    }
    for (const tick of ticks(range[0], range[1], Math.max(2, Math.floor(width / 110)))) {
      element("line", { class: "grid", x1: x(tick), x2: x(tick), y1: inner.bottom, y2: inner.bottom + 4 }, svg);
      const anchor = x(tick) > width - 30 ? "end" : "middle";
      const place = { x: anchor === "end" ? width - 2 : x(tick), y: inner.bottom + 17 };
      const text = element("text", { class: "step", ...place, "text-anchor": anchor }, svg);
      text.textContent = spoken(tick);
    }
    const clip = element("clipPath", { id: `clip-${number}` }, svg);
    const area = { x: MARGIN.left, y: MARGIN.top - 2, width: inner.right - MARGIN.left, height: inner.bottom - MARGIN.top + 4 };
    element("rect", area, clip);
    const drawn = element("g", { "clip-path": `url(#clip-${number})` }, svg);
    for (const line of lines) {
      const single = line.phase === "test" || line.steps.length === 1;
      if (!single) {
        const path = pathOf(line, x, y, log);
        element("path", { class: `curve ${line.phase}`, d: path, style: `stroke: ${color(line.run)}` }, drawn);
        continue;
      }
      line.values.forEach((value, i) => {
        if (value === null || line.steps[i] < range[0] || line.steps[i] > range[1]) return;
        const place = { cx: x(line.steps[i]), cy: y(log ? Math.log10(value) : value), r: 4.5 };
        element("circle", { class: "test", ...place, style: `stroke: ${color(line.run)}` }, svg);
      });
    }
    if (!lines.length) {
      const text = element("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, svg);
      text.textContent = "no chosen run has this figure";
    }
    listen({ box, svg, tip, lines, x, stepAt, range, inner });
  }

  // Hover: the values nearest to the pointer. Drag: a window of steps. Double-click: all steps.
  function listen({ box, svg, tip, lines, x, stepAt, range, inner }) {
    const cursor = element("line", { class: "cursor", y1: MARGIN.top, y2: inner.bottom, visibility: "hidden" }, svg);
    const pane = element("rect", { class: "window", y: MARGIN.top, height: inner.bottom - MARGIN.top, width: 0 }, svg);
    let began = null;
    const at = (event) => {
      const px = event.clientX - svg.getBoundingClientRect().left;
      return Math.min(inner.right, Math.max(MARGIN.left, px));
    };
    svg.addEventListener("pointerdown", (event) => {
      began = at(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      const px = at(event);
      if (began !== null) {
        pane.setAttribute("x", Math.min(began, px));
        pane.setAttribute("width", Math.abs(px - began));
      }
      tell(px);
    });
    svg.addEventListener("pointerup", (event) => {
      const ends = began === null ? null : [began, at(event)].sort((a, b) => a - b).map(stepAt);
      const far = began !== null && Math.abs(at(event) - began) > 8;
      began = null;
      if (far) zoom(ends);
    });
    svg.addEventListener("pointercancel", () => {
      began = null;
      pane.setAttribute("width", 0);
    });
    svg.addEventListener("pointerleave", () => {
      tip.hidden = true;
      cursor.setAttribute("visibility", "hidden");
    });
    svg.addEventListener("dblclick", () => zoom(null));

    function tell(px) {
      const wanted = stepAt(px);
      let step = null;
      for (const line of lines)
        for (const one of line.steps)
          if (one >= range[0] && one <= range[1] && (step === null || Math.abs(one - wanted) < Math.abs(step - wanted))) step = one;
      tip.hidden = step === null;
      if (step === null) return;
      cursor.setAttribute("visibility", "visible");
      cursor.setAttribute("x1", x(step));
      cursor.setAttribute("x2", x(step));
      const rows = [];
      for (const line of lines) {
        const i = nearest(line.steps, step);
        if (line.values[i] === null || (line.phase === "test" && line.steps[i] !== step)) continue;
        const apart = line.steps[i] === step ? "" : ` at ${spoken(line.steps[i])}`;
        rows.push([line.run, `${spoken(line.values[i])} ${line.phase}${apart} · ${data.runs[line.run].name}`]);
      }
      tip.replaceChildren(said(null, `step ${spoken(step)}`), ...rows.slice(0, MOST_IN_TIP).map(([run, text]) => said(run, text)));
      if (rows.length > MOST_IN_TIP) tip.append(said(null, `and ${rows.length - MOST_IN_TIP} more`));
      const left = x(step) + 24 + tip.offsetWidth > box.clientWidth ? x(step) - tip.offsetWidth : x(step) + 20;
      tip.style.left = `${Math.max(4, Math.min(left, box.clientWidth - tip.offsetWidth - 4))}px`;
      tip.style.top = "2.2rem";
    }
  }

  function said(run, text) {
    const row = document.createElement("div");
    if (run !== null) {
      const swatch = document.createElement("span");
      swatch.className = `swatch s${run % 10}`;
      row.append(swatch);
    }
    row.append(text);
    return row;
  }

  function nearest(steps, wanted) {
    let best = 0;
    steps.forEach((step, i) => {
      if (Math.abs(step - wanted) < Math.abs(steps[best] - wanted)) best = i;
    });
    return best;
  }

  function zoom(range) {
    shown.range = range;
    byId("reset").disabled = range === null;
    draw();
  }

  function draw() {
    byId("charts").replaceChildren();
    data.figures.filter((name) => shown.figures.has(name)).forEach(chart);
    for (const section of document.querySelectorAll("[data-of]")) section.hidden = !shown.runs.has(Number(section.dataset.of));
  }

  function choose(set, value, wanted) {
    if (wanted) set.add(value);
    else set.delete(value);
  }

  function chooseRuns(wanted) {
    for (const box of document.querySelectorAll("[data-run]")) {
      box.checked = wanted;
      choose(shown.runs, Number(box.dataset.run), wanted);
    }
    draw();
  }

  for (const box of document.querySelectorAll("[data-run]"))
    box.addEventListener("change", () => {
      choose(shown.runs, Number(box.dataset.run), box.checked);
      draw();
    });
  for (const box of document.querySelectorAll("[data-figure]"))
    box.addEventListener("change", () => {
      choose(shown.figures, box.dataset.figure, box.checked);
      draw();
    });
  for (const slider of document.querySelectorAll("[data-slides]")) {
    const card = slider.closest("figure"), image = card.querySelector("img");
    const last = image.src;
    slider.addEventListener("input", () => {
      const slides = data.runs[Number(slider.dataset.ofRun)].slides[slider.dataset.slides];
      const [label, source] = slides[Number(slider.value)];
      image.src = source || last; // the last one stands in the page alone
      card.querySelector("output").textContent = label;
    });
  }
  byId("all-runs").addEventListener("click", () => chooseRuns(true));
  byId("no-runs").addEventListener("click", () => chooseRuns(false));
  byId("reset").addEventListener("click", () => zoom(null));
  byId("log").addEventListener("change", (event) => {
    shown.log = event.target.checked;
    draw();
  });
  const only = byId("only-differences");
  if (only) only.addEventListener("change", () => byId("settings-table").classList.toggle("only", only.checked));
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    draw();
  });
  draw();
})();
