"use strict";
// Draws the timeline of the page so that it can be zoomed, and switches between light and dark.
// The data is chart.cpp's json_of(); times are milliseconds since the run began. Whatever text is
// in it goes to the page as textContent or through fillText, never as markup.
(() => {
  const root = document.documentElement;

  // ---- light and dark

  const themeButton = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const labelTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    labelTheme();
    redraw();
  });
  themeButton.hidden = false;
  labelTheme();
  prefersDark.addEventListener("change", () => { labelTheme(); redraw(); });

  // ---- the timeline

  const view = document.getElementById("view");
  let redraw = () => {};
  if (!view) return;
  const data = JSON.parse(document.getElementById("data").textContent);
  const picture = document.querySelector(".picture");

  const element = (name, parent, className = "") => {
    const made = document.createElement(name);
    if (className) made.className = className;
    parent.append(made);
    return made;
  };
  const scroller = element("div", view, "scroller");
  const canvas = element("canvas", scroller);
  const tip = element("div", view, "tip");
  const spoken = element("div", view, "spoken");
  tip.hidden = true;
  spoken.setAttribute("aria-live", "polite");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label",
    "Timeline. Arrow left and right: move. Plus and minus: zoom. 0: the whole run. " +
    "N and P: next and previous fault, death, hang or straggler.");
  const pen = canvas.getContext("2d");

  const LEFT = 46, RIGHT = 10, TOP = 44, CURVE = 96, GAP = 36;
  const end = Math.max(data.end, 1e-3);
  const ranks = Math.max(data.ranks, 1);
  const curves = [
    { title: "step time", unit: " ms", colour: "--step-time", zero: true, value: (point) => point[3] },
    { title: "loss", unit: "", colour: "--loss", value: (point) => point[2] },
  ].filter((curve) => data.curve.some((point) => curve.value(point) !== null));
  const MIN_SPAN = Math.min(end, 0.02);  // 20 us
  let from = 0, to = end, tall = ranks <= 16, width = 0, selected = -1;

  const laneHeight = () => (tall ? (ranks <= 16 ? 22 : 14) : Math.max(3, Math.min(14, 640 / ranks)));
  const x = (at) => LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);
  const timeAt = (left) => from + ((left - LEFT) / (width - LEFT - RIGHT)) * (to - from);
  const y = (rank) => TOP + (rank - data.first) * laneHeight();
  const bottom = () => TOP + ranks * laneHeight();

  const timeText = (ms, digits = 3) => {
    const number = (value) => Number(value.toPrecision(digits)).toString();
    const size = Math.abs(ms);
    if (size === 0) return "0";
    if (size < 1) return number(ms * 1e3) + " µs";
    if (size < 1e3) return number(ms) + " ms";
    if (size < 100e3) return number(ms / 1e3) + " s";
    const seconds = Math.round(ms / 1e3), minutes = Math.floor(seconds / 60);
    const two = (value) => String(value).padStart(2, "0");
    if (minutes < 60) return minutes + ":" + two(seconds % 60) + " min";
    return Math.floor(minutes / 60) + ":" + two(minutes % 60) + ":" + two(seconds % 60) + " h";
  };

  // About eight, at round times.
  const tickStep = () => {
    const wanted = (to - from) / Math.max(2, Math.min(9, width / 120));
    const clock = [60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3, 7200e3, 21600e3, 43200e3, 86400e3];
    if (wanted > 50e3) return clock.find((one) => one >= wanted) || Math.ceil(wanted / 86400e3) * 86400e3;
    const power = 10 ** Math.floor(Math.log10(wanted)), rest = wanted / power;
    return power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
  };

  let colours = {};
  const readColours = () => {
    const style = getComputedStyle(root);
    colours = {};
    for (const name of ["ground", "raised", "line", "text", "quiet", "accent", "mark", "backoff", "loss",
      "step-time", ...data.activities.map((one) => one[0])])
      colours["--" + name] = style.getPropertyValue("--" + name).trim();
  };

  let hatch = null;
  const hatched = (ground) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const brush = tile.getContext("2d");
    brush.fillStyle = ground;
    brush.fillRect(0, 0, 8, 8);
    brush.strokeStyle = colours["--ground"];
    brush.lineWidth = 1.2;
    brush.beginPath();
    for (const shift of [-8, 0, 8]) {
      brush.moveTo(shift, 8);
      brush.lineTo(shift + 8, 0);
    }
    brush.stroke();
    return pen.createPattern(tile, "repeat");
  };

  const drawMark = (kind, left, top) => {
    pen.beginPath();
    if (kind === "fault") {
      pen.moveTo(left - 5, top - 9); pen.lineTo(left + 5, top - 9); pen.lineTo(left, top); pen.closePath();
    } else if (kind === "death") {
      pen.moveTo(left - 4, top - 4); pen.lineTo(left + 4, top + 4);
      pen.moveTo(left + 4, top - 4); pen.lineTo(left - 4, top + 4);
    } else if (kind === "straggler") {
      pen.moveTo(left, top - 5); pen.lineTo(left + 5, top); pen.lineTo(left, top + 5); pen.lineTo(left - 5, top);
      pen.closePath();
    } else {
      pen.rect(left - 4, top - 4, 8, 8);
    }
    pen.strokeStyle = colours["--ground"];
    pen.lineWidth = kind === "death" ? 5 : 2;
    pen.stroke();
    if (kind === "death") {
      pen.strokeStyle = colours["--mark"];
      pen.lineWidth = 2;
      pen.stroke();
    } else {
      pen.fillStyle = colours["--mark"];
      pen.fill();
    }
  };

  const markTop = (mark) =>
    mark[1] < data.first ? TOP - 4 : y(mark[1]) + laneHeight() / 2;

  const drawAttempts = () => {
    for (const attempt of data.attempts) {
      if (attempt.ended < from || attempt.began > to) continue;
      const left = Math.max(x(attempt.began), LEFT), right = Math.min(x(attempt.ended), width - RIGHT);
      pen.fillStyle = colours["--raised"];
      pen.fillRect(left, 20, Math.max(right - left, 1), bottom() - 20);
      const name = "attempt " + attempt.n, full = name + ": " + attempt.outcome;
      pen.fillStyle = colours["--quiet"];
      pen.textAlign = "left";
      const space = right - left - 12;
      const label = pen.measureText(full).width < space ? full : pen.measureText(name).width < space ? name : "";
      pen.fillText(label, left + 6, 34);
    }
    // Between two attempts the group waits.
    pen.fillStyle = hatched(colours["--backoff"]);
    for (let i = 1; i < data.attempts.length; ++i) {
      const left = Math.max(x(data.attempts[i - 1].ended), LEFT);
      const right = Math.min(x(data.attempts[i].began), width - RIGHT);
      if (right - left > 0.5) pen.fillRect(left, TOP, right - left, bottom() - TOP);
    }
  };

  const drawLanes = () => {
    const height = laneHeight(), inset = height < 6 ? 0.25 : height * 0.14;
    hatch = hatched(colours["--repeated"]);
    for (const attempt of data.attempts) {
      if (attempt.ended < from || attempt.began > to) continue;
      for (const lane of attempt.lanes) {
        const top = y(lane[0]) + inset;
        let begin = lane[3];
        for (let i = 4; i < lane.length; i += 2) {
          const stop = lane[i + 1];
          if (stop >= from && begin <= to) {
            const left = Math.max(x(begin), LEFT), right = Math.min(x(stop), width - RIGHT);
            const activity = data.activities[lane[i]][0];
            pen.fillStyle = activity === "repeated" ? hatch : colours["--" + activity];
            if (right >= left) pen.fillRect(left, top, Math.max(right - left, 0.6), height - 2 * inset);
          }
          begin = stop;
        }
      }
    }
  };

  const drawCurves = () => {
    let top = bottom() + GAP;
    for (const curve of curves) {
      let low = curve.zero ? 0 : Infinity, high = -Infinity;
      for (const point of data.curve) {
        const value = curve.value(point);
        if (value === null || point[0] < from || point[0] > to) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      pen.fillStyle = colours["--quiet"];
      pen.textAlign = "left";
      pen.fillText(curve.title + (curve.unit ? "," + curve.unit : ""), LEFT, top - 8);
      pen.strokeStyle = colours["--line"];
      pen.lineWidth = 1;
      for (const at of [top, top + CURVE]) {
        pen.beginPath(); pen.moveTo(LEFT, at + 0.5); pen.lineTo(width - RIGHT, at + 0.5); pen.stroke();
      }
      if (low <= high) {
        const range = high - low || Math.abs(high) || 1;
        pen.textAlign = "right";
        pen.fillText(Number(high.toPrecision(3)), LEFT - 6, top + 8);
        pen.fillText(Number(low.toPrecision(3)), LEFT - 6, top + CURVE);
        pen.save();
        pen.beginPath();
        pen.rect(LEFT, top - 2, width - LEFT - RIGHT, CURVE + 4);
        pen.clip();
        pen.beginPath();
        let down = false;
        for (const point of data.curve) {
          const value = curve.value(point);
          if (point[4]) down = false;
          if (value === null) continue;
          const at = top + CURVE * (1 - (value - low) / range);
          if (down) pen.lineTo(x(point[0]), at); else pen.moveTo(x(point[0]), at);
          down = true;
        }
        pen.strokeStyle = colours[curve.colour];
        pen.lineWidth = 1.5;
        pen.lineJoin = "round";
        pen.stroke();
        pen.restore();
      }
      top += CURVE + GAP;
    }
  };

  const draw = () => {
    width = scroller.clientWidth;
    if (!width) return;
    const height = bottom() + curves.length * (CURVE + GAP) + 8;
    const ratio = Math.min(devicePixelRatio || 1, 16000 / height);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = height + "px";
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "11px system-ui, sans-serif";
    drawAttempts();
    pen.strokeStyle = colours["--line"];
    pen.fillStyle = colours["--quiet"];
    pen.lineWidth = 1;
    pen.textAlign = "center";
    const step = tickStep();
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const left = Math.round(x(at)) + 0.5;
      pen.beginPath(); pen.moveTo(left, 16); pen.lineTo(left, height - 8); pen.stroke();
      const digits = Math.max(3, Math.ceil(Math.log10(Math.max(at, step) / step)) + 1);
      pen.fillText(timeText(Number(at.toPrecision(12)), digits), left, 11);
    }
    const lane = laneHeight();
    const every = [1, 2, 4, 8, 16, 32, 64, 128].find((one) => one * lane >= (lane < 12 ? 22 : 12)) || 256;
    pen.textAlign = "right";
    for (let i = 0; i < ranks; i += every)
      pen.fillText(data.first + i, LEFT - 8, y(data.first + i) + lane / 2 + 4);
    drawLanes();
    for (const mark of data.marks)
      if (mark[0] >= from && mark[0] <= to) drawMark(mark[2], x(mark[0]), markTop(mark));
    if (selected >= 0) {
      const mark = data.marks[selected];
      pen.strokeStyle = colours["--accent"];
      pen.lineWidth = 2;
      pen.beginPath(); pen.arc(x(mark[0]), markTop(mark) - 2, 12, 0, 2 * Math.PI); pen.stroke();
    }
    drawCurves();
  };
  let pending = false;
  const schedule = () => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(); });
  };
  redraw = () => { readColours(); schedule(); };

  // ---- zoom and pan

  const show = (begin, span) => {
    span = Math.min(Math.max(span, MIN_SPAN), end);
    from = Math.min(Math.max(begin, 0), end - span);
    to = from + span;
    tip.hidden = true;
    schedule();
  };
  const zoom = (factor, at = (from + to) / 2) => {
    const span = Math.min(Math.max((to - from) * factor, MIN_SPAN), end);
    show(at - ((at - from) / (to - from)) * span, span);
  };
  const pan = (part) => show(from + part * (to - from), to - from);
  const fit = () => { selected = -1; show(0, end); };

  const nameOf = (rank) => (rank < data.first ? "group" : "rank " + rank);
  const jump = (by) => {
    if (!data.marks.length) return;
    selected = selected < 0 && by < 0 ? data.marks.length - 1 : (selected + by + data.marks.length) % data.marks.length;
    const mark = data.marks[selected], span = to - from;
    if (mark[0] < from + span * 0.05 || mark[0] > to - span * 0.05) show(mark[0] - span / 2, span);
    spoken.textContent = timeText(mark[0], 5) + ", " + nameOf(mark[1]) + ", " + mark[3];
    showTip(x(mark[0]), markTop(mark), spoken.textContent);
    schedule();
  };

  const controls = document.getElementById("controls");
  const button = (text, label, act) => {
    const made = element("button", controls);
    made.type = "button";
    made.textContent = text;
    if (label !== text) { made.setAttribute("aria-label", label); made.title = label; }
    made.addEventListener("click", act);
    return made;
  };
  element("span", controls).textContent = "drag, Ctrl+wheel, arrow keys";
  button("−", "Zoom out", () => zoom(1.6));
  button("+", "Zoom in", () => zoom(1 / 1.6));
  button("Whole run", "Whole run", fit);
  if (data.marks.length) button("Next event", "Next event", () => jump(1));
  if (ranks > 16) {
    const toggle = button("Tall lanes", "Tall lanes", () => {
      tall = !tall;
      toggle.setAttribute("aria-pressed", tall);
      schedule();
    });
    toggle.setAttribute("aria-pressed", tall);
  }
  controls.hidden = false;

  const keys = {
    ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), "+": () => zoom(1 / 1.6), "=": () => zoom(1 / 1.6),
    "-": () => zoom(1.6), 0: fit, Home: () => show(0, to - from), End: () => show(end, to - from),
    n: () => jump(1), p: () => jump(-1), Escape: () => { selected = -1; tip.hidden = true; schedule(); },
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  canvas.addEventListener("wheel", (event) => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(event.deltaY * 0.003), timeAt(event.offsetX));
    } else if (sideways || event.shiftKey) {
      event.preventDefault();
      pan((sideways ? event.deltaX : event.deltaY) / (width - LEFT - RIGHT));
    }
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(1 / 2.5, timeAt(event.offsetX)));

  let grabbed = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grabbed = { left: event.clientX, from };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragging");
  });
  const release = () => { grabbed = null; canvas.classList.remove("dragging"); };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });

  // ---- what is under the pointer

  const showTip = (left, top, text) => {
    tip.textContent = text;
    tip.hidden = false;
    const room = width - tip.offsetWidth - 4;
    tip.style.left = Math.max(0, Math.min(left + 14, room)) + "px";
    tip.style.top = top - scroller.scrollTop + 16 + "px";
  };

  const laneText = (at, rank) => {
    for (const attempt of data.attempts) {
      for (const lane of attempt.lanes) {
        if (lane[0] !== rank || at < lane[3] || at > lane[lane.length - 1]) continue;
        let begin = lane[3];
        for (let i = 4; i < lane.length; i += 2) {
          if (at <= lane[i + 1])
            return "rank " + rank + ", attempt " + attempt.n + ", pid " + lane[1] + "\n" +
              data.activities[lane[i]][1] + ": " + timeText(lane[i + 1] - begin) + ", from " + timeText(begin, 5) +
              (lane[2] ? "\nended with " + lane[2] : "");
          begin = lane[i + 1];
        }
      }
    }
    return "";
  };
  const curveText = (at) => {
    let nearest = null;
    for (const point of data.curve)
      if (!nearest || Math.abs(point[0] - at) < Math.abs(nearest[0] - at)) nearest = point;
    if (!nearest || Math.abs(x(nearest[0]) - x(at)) > 40) return "";
    return timeText(nearest[0], 5) + ", step " + nearest[1] +
      (nearest[3] === null ? "" : "\nstep time " + Number(nearest[3].toPrecision(4)) + " ms") +
      (nearest[2] === null ? "" : "\nloss " + Number(nearest[2].toPrecision(5)));
  };
  canvas.addEventListener("pointermove", (event) => {
    if (grabbed) {
      show(grabbed.from - ((event.clientX - grabbed.left) / (width - LEFT - RIGHT)) * (to - from), to - from);
      return;
    }
    const left = event.offsetX, top = event.offsetY;
    const near = data.marks.find((mark) => mark[0] >= from && mark[0] <= to &&
      Math.abs(x(mark[0]) - left) < 7 && Math.abs(markTop(mark) - 2 - top) < 8);
    const rank = data.first + Math.floor((top - TOP) / laneHeight());
    const text = near ? timeText(near[0], 5) + ", " + nameOf(near[1]) + "\n" + near[3]
      : top < TOP ? "" : top < bottom() ? laneText(timeAt(left), rank) : curveText(timeAt(left));
    if (text) showTip(left, top, text); else tip.hidden = true;
  });

  view.hidden = false;
  picture.setAttribute("hidden", "");
  new ResizeObserver(redraw).observe(scroller);
  addEventListener("beforeprint", () => picture.removeAttribute("hidden"));
  addEventListener("afterprint", () => picture.setAttribute("hidden", ""));
  redraw();
})();
