"use strict";
(() => {
  const number = (cell) => {
    const text = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
    return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };
  const compare = (a, b, sign) => {
    const x = number(a), y = number(b);
    if (x !== null && y !== null) return sign * (x - y);
    const s = a.textContent.trim(), t = b.textContent.trim();
    const empty = (v, text) => v === null && (text === "" || text === "--");
    if (empty(x, s) !== empty(y, t)) return empty(x, s) ? 1 : -1;
    return sign * s.localeCompare(t, undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => compare(a.cells[column], b.cells[column], sign));
      body.append(...rows);
    }));
  }
  const board = document.getElementById("board");
  if (board) {
    const filter = document.getElementById("filter"), controls = document.getElementById("controls");
    const all = document.getElementById("all-values"), count = document.getElementById("count");
    const show = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of board.tBodies[0].rows) {
        const text = `${row.cells[1].textContent} ${row.cells[2].textContent}`.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word)) ||
          (!controls.checked && row.classList.contains("control"));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = `${shown} of ${board.tBodies[0].rows.length} rows`;
      board.classList.toggle("all", all.checked);
    };
    for (const input of [filter, controls, all]) input.addEventListener("input", show);
    show();
  }
  for (const box of document.querySelectorAll(".player")) {
    const frames = Number(box.dataset.frames), fps = Number(box.dataset.fps);
    const play = box.querySelector(".play"), seek = box.querySelector(".seek");
    const where = box.querySelector(".where"), speed = box.querySelector(".speed");
    const chart = box.querySelector(".chart"), cursor = box.querySelector(".cursor");
    const clips = [...box.querySelectorAll("canvas")].map((canvas) => ({ canvas, sheet: null }));
    let at = 0, timer = null, begin = 0, from = 0;
    const draw = () => {
      for (const { canvas, sheet } of clips) {
        if (!sheet) continue;
        const side = canvas.width, index = Math.min(at, Number(canvas.dataset.frames) - 1);
        const columns = Number(canvas.dataset.columns);
        const x = (index % columns) * side, y = Math.floor(index / columns) * side;
        canvas.getContext("2d").drawImage(sheet, x, y, side, side, 0, 0, side, side);
      }
      seek.value = at;
      where.textContent = `${at} / ${frames - 1}`;
      if (cursor) {
        const edge = Number(chart.dataset.edge), width = Number(chart.dataset.width) - 2 * edge;
        const x = edge + (frames > 1 ? (width * at) / (frames - 1) : 0);
        cursor.setAttribute("x1", x);
        cursor.setAttribute("x2", x);
      }
      box.dataset.at = at;
    };
    const load = () => clips.forEach((clip) => {
      const image = new Image();
      image.addEventListener("load", () => { clip.sheet = image; draw(); });
      image.src = clip.canvas.dataset.file;
    });
    const stop = () => {
      if (timer !== null) cancelAnimationFrame(timer);
      timer = null;
      play.textContent = "play";
    };
    const tick = (now) => {
      const passed = ((now - begin) / 1000) * fps * Number(speed.value);
      at = (from + Math.floor(passed)) % frames;
      draw();
      timer = requestAnimationFrame(tick);
    };
    const start = () => {
      begin = performance.now();
      from = at;
      play.textContent = "pause";
      timer = requestAnimationFrame(tick);
    };
    const step = (by) => { stop(); at = (at + by + frames) % frames; draw(); };
    play.addEventListener("click", () => (timer === null ? start() : stop()));
    box.querySelector(".back").addEventListener("click", () => step(-1));
    box.querySelector(".next").addEventListener("click", () => step(1));
    seek.addEventListener("input", () => { stop(); at = Number(seek.value); draw(); });
    speed.addEventListener("change", () => { if (timer !== null) { stop(); start(); } });
    box.addEventListener("keydown", (event) => {
      if (event.target !== box) return;
      if (event.key === "ArrowRight") step(1);
      else if (event.key === "ArrowLeft") step(-1);
      else if (event.key === " ") play.click();
      else return;
      event.preventDefault();
    });
    new IntersectionObserver((seen, watcher) => {
      if (seen.some((entry) => entry.isIntersecting)) { watcher.disconnect(); load(); }
    }, { rootMargin: "300px" }).observe(box);
    draw();
  }
})();
