// What axe would ask of a page: names, labels, language, contrast, reach by keyboard.
() => {
  const wrong = [];
  const name = (e) => (e.getAttribute("aria-label") || e.textContent || "").trim();
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (!document.querySelector("main")) wrong.push("no main");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  for (const e of document.querySelectorAll("button, a[href]")) if (!name(e)) wrong.push("no name: " + e.outerHTML);
  for (const e of document.querySelectorAll("input, select")) if (!e.labels.length) wrong.push("no label: " + e.outerHTML);
  for (const e of document.querySelectorAll("canvas, svg, img")) if (!e.getAttribute("aria-label") && !e.alt) wrong.push("no text: " + e.tagName);
  for (const e of document.querySelectorAll(".scroll")) if (e.tabIndex !== 0 || !name(e)) wrong.push("scrolls without keys");
  const light = (c) => {
    const parts = c.match(/[\d.]+/g).map(Number);
    const [r, g, b] = parts.slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\)$/.test(c) && c !== "transparent") return c;
    }
    return "rgb(255,255,255)";
  };
  for (const e of document.querySelectorAll("main *, header *, footer *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const ink = e.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [x, y] = [light(ink), light(paper(e))].sort((p, q) => q - p);
    if ((x + 0.05) / (y + 0.05) < 4.5) wrong.push("contrast " + ((x + 0.05) / (y + 0.05)).toFixed(2) + ": " + e.textContent.trim().slice(0, 30));
  }
  return wrong;
}
