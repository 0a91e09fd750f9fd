// SPDX-License-Identifier: Apache-2.0
// What moves in the report: theme, palette, copy, and one crosshair over all charts that share a
// time axis. Without scripts everything is still there, except the values at the crosshair.
"use strict";
(() => {
  const root = document.documentElement;
  const digits = (v, n) => v.toLocaleString("en-US", { minimumFractionDigits: n, maximumFractionDigits: n }).replace("-", "\u2212");
  const places = (v) => (Math.abs(v) >= 1000 ? 2 : Math.abs(v) >= 1 ? 4 : 6);
  const write = {
    money: (v) => digits(v, 2),
    price: (v) => digits(v, places(v)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""),
    percent: (v) => digits(v * 100, 2) + "\u202f%",
    ratio: (v) => digits(v, 2),
  };
  const stamp = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ") + " UTC";

  const charts = [...document.querySelectorAll("figure.time")].map((figure) => {
    const data = JSON.parse(figure.querySelector("script").textContent);
    for (const line of data.lines) {
      let sum = 0;
      line.t = line.t.map((step) => (sum += step));
    }
    return {
      figure, data, plot: figure.querySelector(".plot"), cross: figure.querySelector(".cross"),
      time: figure.querySelector("time"), values: figure.querySelectorAll(".key b"),
    };
  });
  // The last place at or before a time; -1 when the line has not begun.
  const before = (t, ms) => {
    let low = 0, high = t.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (t[middle] <= ms) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const show = (ms) => {
    for (const { data, cross, time, values } of charts) {
      const at = ms === null ? data.span[1] : ms;
      data.lines.forEach((line, n) => {
        const place = before(line.t, at);
        values[n].textContent = place < 0 ? "" : write[line.f](line.v[place]);
      });
      const share = (at - data.span[0]) / Math.max(data.span[1] - data.span[0], 1);
      cross.hidden = ms === null || share < 0 || share > 1;
      cross.style.left = share * 100 + "%";
      time.textContent = ms === null ? "" : stamp(ms);
    }
  };
  let current = null, waiting = false;
  const move = (ms) => {
    current = ms;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(current); });
  };
  for (const chart of charts) {
    const [first, last] = chart.data.span;
    const point = (event) => {
      const box = chart.plot.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      move(first + share * (last - first));
    };
    chart.plot.addEventListener("pointermove", point);
    chart.plot.addEventListener("pointerdown", point);
    chart.plot.addEventListener("pointerleave", () => move(null));
    chart.figure.addEventListener("blur", () => move(null));
    chart.figure.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const stride = (last - first) / (event.shiftKey ? 20 : 200);
      const from = current === null ? (step > 0 ? first : last) : current;
      move(Math.min(Math.max(from + step * stride, first), last));
    });
  }
  show(null);

  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const on = (id, act) => document.getElementById(id)?.addEventListener("click", act);
  on("theme", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  on("tone", () => { root.dataset.tone = root.dataset.tone === "green" ? "blue" : "green"; });
  on("print", () => print());
  on("copy", (event) => {
    const text = document.getElementById("command").textContent;
    navigator.clipboard?.writeText(text).then(() => { event.target.textContent = "Copied"; });
  });
})();
