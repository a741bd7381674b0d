"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const all = (query) => [...document.querySelectorAll(query)];
  const make = (tag, given = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), given);
    made.append(...inside);
    return made;
  };
  // Ids come from a file: without a prototype "__proto__" is a key like any other.
  const bare = () => Object.create(null);
  const object = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const own = (holder, key) => (object(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined);

  const bundle = JSON.parse(get("bundle").textContent);
  const items = bundle.items, fields = bundle.form.fields;
  const KEY = `mebench-rating/${bundle.bundle}/${bundle.rater}`, VIEW = `${KEY}/view`;
  const SPEEDS = [["1", 1], ["½", 0.5], ["¼", 0.25], ["⅛", 0.125]];
  const GREY = "#808080", GAINS = [2, 4, 8, 16], ZOOMS = [1, 1.5, 2, 3, 4, 6];
  const FLICKER_MS = 250, IDLE_MS = 60000;

  // ---- What is kept -------------------------------------------------------------------------
  const disk = {
    ok: true,
    read(key) {
      try { return localStorage.getItem(key); } catch { this.ok = false; return null; }
    },
    write(key, text) {
      try { localStorage.setItem(key, text); this.ok = true; } catch { this.ok = false; }
      return this.ok;
    },
  };
  const view = { item: 0, lang: "", theme: "dark", speed: 1, loop: true, two: false, gain: 4 };
  try {
    const kept = JSON.parse(disk.read(VIEW) || "{}");
    for (const key of Object.keys(view)) if (typeof own(kept, key) === typeof view[key]) view[key] = kept[key];
  } catch { /* a view is worth no message */ }
  if (!items[view.item]) view.item = 0;
  if (!SPEEDS.some(([, value]) => value === view.speed)) view.speed = 1;
  if (!GAINS.includes(view.gain)) view.gain = 4;
  if (view.theme !== "light") view.theme = "dark";
  if (!Object.hasOwn(bundle.strings, view.lang)) view.lang = /^zh/i.test(navigator.language) ? "zh" : "en";
  const keepView = () => disk.write(VIEW, JSON.stringify(view));

  const t = (key, values = {}) => {
    const text = own(bundle.strings[view.lang], key) ?? own(bundle.strings.en, key) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
  const spoken = (titles, other) => own(titles, view.lang) ?? own(titles, "en") ?? other;
  const choices = (field) => (field.choices || []).map((one) => (typeof one === "string" ? { id: one } : one));
  const choiceText = (choice) => spoken(choice, choice.id === "none" ? t("none") : choice.id);
  const fieldText = (field) => spoken(field.title, field.id);

  const answers = new Map(items.map((item) => [item.id, { values: bare(), aus: bare(), seconds: 0 }]));
  const places = (item) => fields.flatMap((field) =>
    field.per_au ? item.aus.map((au) => ({ field, au })) : [{ field, au: null }]);
  const valueOf = (item, { field, au }) => {
    const entry = answers.get(item.id);
    return au === null ? entry.values[field.id] : entry.aus[au]?.[field.id];
  };
  const begun = (entry) => Object.keys(entry.values).length + Object.keys(entry.aus).length > 0;
  const missing = (item) => places(item).filter((one) => one.field.required && valueOf(item, one) === undefined);
  const stateOf = (item) => !begun(answers.get(item.id)) ? "empty" : missing(item).length ? "part" : "done";

  const AU = /^(?:AU|AD|M)?([LRA]?)([TB]?)(?:AU|AD|M)?(\d{1,2})([LR]?)$/i;
  const unit = (text) => {
    const found = AU.exec(text);
    if (!found || (found[1] && found[4]) || Number(found[3]) === 0) return null;
    return `${found[1] || found[4]}${found[2]}`.toUpperCase() + Number(found[3]);
  };
  const unique = (list, allowed) => Array.isArray(list) && list.length > 0 &&
    new Set(list).size === list.length && list.every((one) => typeof one === "string" && allowed(one));
  const allows = (field, value) => {
    const known = (id) => choices(field).some((choice) => choice.id === id);
    if (field.kind === "yesno") return value === 0 || value === 1;
    if (field.kind === "choice") return typeof value === "string" && known(value);
    if (field.kind === "scale") return Number.isInteger(value) && value >= field.low && value <= field.high;
    if (field.kind === "checks") return unique(value, known);
    if (field.kind === "aus") return unique(value, (one) => unit(one) === one);
    return typeof value === "string" && value !== "" && value === value.trim() && value.length <= (field.most ?? 1000);
  };

  const gather = () => {
    const given = bare();
    for (const item of items) {
      const entry = answers.get(item.id);
      if (begun(entry)) given[item.id] = { values: entry.values, aus: entry.aus, seconds: Math.round(entry.seconds * 10) / 10 };
    }
    return {
      schema: "mebench-ratings/1", bundle: bundle.bundle, rater: bundle.rater, saved: new Date().toISOString(),
      complete: items.every((item) => !missing(item).length), answers: given,
    };
  };
  class Refused extends Error {
    constructor(why, values = {}) { super(why); Object.assign(this, { why, values }); }
  }
  // Returns the answers of a saved or exported text, or throws what is wrong with it.
  const understand = (text) => {
    let file;
    try { file = JSON.parse(text); } catch { throw new Refused("why_json"); }
    if (own(file, "schema") !== "mebench-ratings/1" || !object(file.answers)) throw new Refused("why_schema");
    if (file.bundle !== bundle.bundle) throw new Refused("why_bundle", { bundle: file.bundle, here: bundle.bundle });
    if (file.rater !== bundle.rater) throw new Refused("why_rater", { rater: file.rater, here: bundle.rater });
    return Object.entries(file.answers).map(([id, raw]) => {
      const item = items.find((one) => one.id === id);
      if (!item) throw new Refused("why_item", { item: id });
      return [id, entryOf(item, raw)];
    });
  };
  const entryOf = (item, raw) => {
    const entry = { values: bare(), aus: bare(), seconds: 0 };
    const wrong = (field) => new Refused("why_value", { item: item.id, field });
    const fill = (into, from, perAu) => {
      if (!object(from)) throw wrong(perAu ? "aus" : "values");
      for (const [id, value] of Object.entries(from)) {
        const field = fields.find((one) => one.id === id && Boolean(one.per_au) === perAu);
        if (!field || !allows(field, value)) throw wrong(id);
        into[id] = value;
      }
    };
    fill(entry.values, own(raw, "values") ?? {}, false);
    for (const [au, given] of Object.entries(own(raw, "aus") ?? {})) {
      if (!item.aus.includes(au)) throw wrong(`AU ${au}`);
      fill(entry.aus[au] = bare(), given, true);
    }
    const seconds = own(raw, "seconds");
    if (typeof seconds === "number" && seconds >= 0) entry.seconds = seconds;
    return entry;
  };
  const ordered = (entry) => JSON.stringify([entry.values, entry.aus], (_, value) =>
    object(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value);

  let exported = true, savedAt = null;
  const tellSaved = () => {
    get("saved").textContent = savedAt ? t("saved", { time: savedAt.toLocaleTimeString(view.lang, { hour12: false }) }) : "";
  };
  const save = () => {
    const text = JSON.stringify(gather());
    exported = false;
    const kept = disk.write(KEY, text);
    savedAt = kept ? new Date() : null;
    tellSaved();
    if (!kept) warn(() => t("not_saved"));
    return kept;
  };
  const recall = () => {
    const text = disk.read(KEY);
    if (!disk.ok) warn(() => t("not_saved"));
    if (text === null) return;
    try {
      for (const [id, entry] of understand(text)) answers.set(id, entry);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const aside = `${KEY}/unread-${Date.now()}`;
      disk.write(aside, text);
      warn(() => t("broken", { key: aside }));
      salvage(text);
    }
  };
  const salvage = (text) => {
    let file;
    try { file = JSON.parse(text); } catch { return; }
    for (const item of items) {
      const raw = own(own(file, "answers"), item.id);
      try { if (raw !== undefined) answers.set(item.id, entryOf(item, raw)); } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
    }
  };

  let warning = null, noteTimer = 0;
  const warn = (say) => {
    warning = say || warning;
    get("warning").hidden = !warning;
    get("warning").textContent = warning ? warning() : "";
  };
  const note = (text) => {
    get("note").textContent = text;
    get("note").hidden = false;
    clearTimeout(noteTimer);
    noteTimer = setTimeout(() => { get("note").hidden = true; }, 9000);
  };

  // Time counts while the page is seen and the rater does something.
  let lastAct = performance.now();
  const touch = () => {
    const now = performance.now(), gap = now - lastAct;
    if (gap < IDLE_MS && !document.hidden) answers.get(items[view.item].id).seconds += gap / 1000;
    lastAct = now;
  };

  // ---- The clips ----------------------------------------------------------------------------
  const scratch = () => document.createElement("canvas").getContext("2d");
  const panes = all("[data-pane]").map((box) => ({
    name: box.dataset.pane, box, canvas: box.querySelector("canvas"), caption: box.querySelector("figcaption"),
    sheet: null, picture: null, wrong: "", onset: { context: scratch(), made: "" }, now: scratch(), part: scratch(),
  }));
  const look = { at: 0, playing: false, request: 0, begin: 0, from: 0, flicker: false, difference: false, zoom: 1, x: 0.5, y: 0.5 };
  const item = () => items[view.item];
  const last = () => item().frames - 1;
  const apexOf = (one) => (Number.isInteger(one.apex) && one.apex >= 0 && one.apex < one.frames ? one.apex : null);

  const shown = new Map();
  const picture = (sheet) => {
    if (!shown.has(sheet.file)) {
      shown.set(sheet.file, (async () => {
        if (!/^media\/[\w.-]+$/.test(sheet.file)) throw new Error("not in media");
        const image = new Image();
        image.src = sheet.file;
        await image.decode();
        if (image.naturalWidth !== sheet.columns * sheet.side) throw new Error("another width");
        return createImageBitmap(image);
      })());
      shown.get(sheet.file).catch(() => {});
    }
    return shown.get(sheet.file);
  };
  const forget = (kept) => {
    for (const [file, promise] of shown) if (!kept.has(file)) {
      shown.delete(file);
      promise.then((bitmap) => bitmap.close(), () => {});
    }
  };
  const load = async () => {
    const now = item();
    const near = [now, items[view.item + 1], items[view.item - 1]].filter(Boolean);
    forget(new Set(near.flatMap((one) => Object.values(one.sheets).map((sheet) => sheet.file))));
    for (const pane of panes) Object.assign(pane, { sheet: now.sheets[pane.name], picture: null, wrong: "" });
    draw();
    get("stage").dataset.ready = "";
    await Promise.all(panes.map(async (pane) => {
      let found = null, wrong = "";
      try { found = await picture(pane.sheet); } catch { wrong = pane.sheet.file; }
      if (now === item()) Object.assign(pane, { picture: found, wrong });
    }));
    if (now !== item()) return;
    draw();
    get("stage").dataset.ready = now.id;
    for (const one of near) for (const sheet of Object.values(one.sheets)) picture(sheet);
  };

  const paint = (context, pane, index, size) => {
    const { side, columns } = pane.sheet, wide = side / look.zoom;
    const edge = (centre) => Math.min(Math.max(centre * side - wide / 2, 0), side - wide);
    const x = (index % columns) * side + edge(look.x), y = Math.floor(index / columns) * side + edge(look.y);
    context.imageSmoothingQuality = "high";
    context.drawImage(pane.picture, x, y, wide, wide, 0, 0, size, size);
  };
  const sized = (context, size) => {
    if (context.canvas.width !== size) context.canvas.width = context.canvas.height = size;
    return context;
  };
  const onsetOf = (pane, size) => {
    const { onset } = pane, made = [item().id, size, look.zoom, look.x, look.y].join();
    if (onset.made !== made) paint(sized(onset.context, size), pane, 0, size);
    onset.made = made;
    return onset.context.canvas;
  };
  const blend = (context, mode, drawn) => {
    context.globalCompositeOperation = mode;
    if (typeof drawn === "string") {
      context.fillStyle = drawn;
      context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    } else context.drawImage(drawn, 0, 0);
  };
  // What is brighter in `one` than in `other`, amplified; exact, and 0 elsewhere.
  const brighter = (context, one, other) => {
    blend(context, "copy", other);
    blend(context, "lighten", one);
    blend(context, "difference", other);
    for (let gain = view.gain; gain > 1; gain /= 2) blend(context, "lighter", context.canvas);
    return context;
  };
  // Pixels of pictures from disk may not be read back, so the difference is blended, not computed:
  // mid grey, plus what became brighter, minus what became darker.
  const paintDifference = (context, pane, index, size) => {
    const onset = onsetOf(pane, size), now = sized(pane.now, size).canvas, part = sized(pane.part, size);
    paint(pane.now, pane, index, size);
    blend(context, "copy", GREY);
    blend(context, "lighter", brighter(part, now, onset).canvas);
    blend(brighter(part, onset, now), "darken", GREY);
    blend(context, "difference", part.canvas);
    context.globalCompositeOperation = "source-over";
  };
  const draw = () => {
    for (const pane of panes) {
      const { canvas } = pane, size = canvas.width, context = canvas.getContext("2d");
      const differs = look.difference && pane.sheet.frames > 1;
      canvas.style.filter = differs ? "grayscale(1)" : "";
      context.clearRect(0, 0, size, size);
      if (!pane.picture) continue;
      (differs ? paintDifference : paint)(context, pane, Math.min(look.at, pane.sheet.frames - 1), size);
    }
    get("stage").dataset.at = look.at;
    get("seek").value = look.at;
    get("where").textContent = t("frame", { at: look.at, last: last() });
    get("ms").textContent = t("ms", { ms: Math.round((1000 * look.at) / item().fps) });
  };
  const captions = () => {
    for (const pane of panes) {
      const name = t(pane.name), differs = look.difference && pane.sheet.frames > 1;
      const text = pane.wrong ? t("media_wrong", { file: pane.wrong }) : differs ? t("minus_first", { name }) : name;
      pane.caption.textContent = text;
      pane.box.classList.toggle("wrong", Boolean(pane.wrong));
      pane.canvas.setAttribute("aria-label", t("pane_alone", { name: text }));
    }
  };
  const buttons = () => {
    const press = (name, on) => all(`[data-do="${name}"]`).forEach((one) => one.setAttribute("aria-pressed", on));
    press("loop", view.loop);
    press("flicker", look.flicker);
    press("difference", look.difference);
    press("two", view.two);
    label(get("play"), t(look.playing ? "pause" : "play"));
    get("stage").classList.toggle("two", view.two);
    get("gain").textContent = `×${view.gain}`;
    get("gain").disabled = !look.difference;
    get("zoom").textContent = `×${look.zoom}`;
    all("#speeds button").forEach((one) => one.setAttribute("aria-pressed", Number(one.dataset.speed) === view.speed));
    const apex = apexOf(item());
    all('[data-do="flicker"], [data-do="to_apex"]').forEach((one) => { one.disabled = apex === null; });
    get("mark").hidden = apex === null;
    // A slider's thumb does not travel its whole width: its middle stays half a thumb inside.
    const part = apex === null ? 0 : apex / Math.max(last(), 1);
    get("mark").style.left = `calc(${100 * part}% + ${(0.5 - part) * 18}px)`;
    get("stage").classList.toggle("zoomed", look.zoom > 1);
    captions();
  };

  const stop = () => {
    cancelAnimationFrame(look.request);
    look.playing = false;
    buttons();
  };
  const tick = (now) => {
    const passed = Math.max(0, now - look.begin) * view.speed;
    if (look.flicker) look.at = Math.floor(passed / FLICKER_MS) % 2 ? apexOf(item()) : 0;
    else {
      const reached = look.from + Math.floor((passed / 1000) * item().fps);
      look.at = view.loop ? reached % item().frames : Math.min(reached, last());
      if (!view.loop && reached >= last()) { draw(); stop(); return; }
    }
    draw();
    look.request = requestAnimationFrame(tick);
  };
  const start = () => {
    cancelAnimationFrame(look.request);
    if (!view.loop && look.at >= last()) look.at = 0;
    Object.assign(look, { playing: true, begin: performance.now(), from: look.at });
    buttons();
    look.request = requestAnimationFrame(tick);
  };
  const restart = () => { if (look.playing) start(); else buttons(); };
  const to = (at) => {
    look.flicker = false;
    look.at = ((at % item().frames) + item().frames) % item().frames;
    stop();
    draw();
  };
  const zoomTo = (zoom, x = look.x, y = look.y) => {
    const half = 0.5 / zoom, inside = (v) => Math.min(Math.max(v, half), 1 - half);
    Object.assign(look, { zoom, x: inside(x), y: inside(y) });
    buttons();
    draw();
  };
  const zoomBy = (by) => zoomTo(ZOOMS[Math.min(Math.max(ZOOMS.indexOf(look.zoom) + by, 0), ZOOMS.length - 1)]);
  const pan = (x, y) => zoomTo(look.zoom, look.x + x / look.zoom, look.y + y / look.zoom);
  const speedTo = (value) => { view.speed = value; keepView(); restart(); };
  const speedBy = (by) => {
    const at = SPEEDS.findIndex(([, value]) => value === view.speed) + by;
    if (SPEEDS[at]) speedTo(SPEEDS[at][1]);
  };
  const gainBy = (by) => {
    view.gain = GAINS[Math.min(Math.max(GAINS.indexOf(view.gain) + by, 0), GAINS.length - 1)];
    look.difference = true;
    keepView();
    buttons();
    draw();
  };
  const hands = (pane) => {
    let held = null;
    const { canvas } = pane;
    canvas.addEventListener("pointerdown", (event) => {
      if (look.zoom === 1) return;
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return;
      pan((held[0] - event.clientX) / canvas.clientWidth, (held[1] - event.clientY) / canvas.clientHeight);
      held = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
    canvas.addEventListener("dblclick", (event) => {
      if (look.zoom > 1) zoomTo(1);
      else zoomTo(3, event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
    });
  };
  const fit = new ResizeObserver(() => {
    for (const { canvas } of panes) {
      const size = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
      if (size > 0 && canvas.width !== size) canvas.width = canvas.height = size;
    }
    draw();
  });

  // ---- The form -----------------------------------------------------------------------------
  let rows = [], here = 0;
  const put = (row, value) => {
    const entry = answers.get(item().id), au = row.au;
    const holder = au === null ? entry.values : (entry.aus[au] ??= bare());
    if (value === undefined) delete holder[row.field.id];
    else holder[row.field.id] = value;
    if (au !== null && !Object.keys(holder).length) delete entry.aus[au];
    touch();
    save();
    row.show();
    told();
  };
  const option = (row, type, value, text, hint) => {
    const id = `r${rows.length}-${row.inputs.length}`;
    const input = make("input", { type, id, name: `r${rows.length}`, value: String(value) });
    const words = make("label", { htmlFor: id }, make("span", { textContent: text }));
    if (hint !== null && hint !== text) words.append(" ", make("kbd", { textContent: hint }));
    row.inputs.push({ input, value });
    return make("span", { className: "option" }, input, words);
  };
  const hintOf = (field, index) => {
    const digit = choices(field)[0]?.id === "none" && field.kind === "choice" ? index : index + 1;
    return digit > 9 ? null : String(digit);
  };
  const single = (row, list) => {
    row.options.append(...list.map(([value, text, hint]) => option(row, "radio", value, text, hint)));
    row.show = () => row.inputs.forEach((one) => { one.input.checked = one.value === valueOf(item(), row); });
    for (const { input, value } of row.inputs) {
      input.addEventListener("click", () => put(row, valueOf(item(), row) === value ? undefined : value));
    }
    row.digit = (digit) => {
      const found = list.find(([, , hint]) => hint === digit);
      if (found) { put(row, found[0]); move(1); }
    };
  };
  const kinds = {
    yesno: (row) => single(row, [[1, t("present"), "1"], [0, t("absent"), "0"]]),
    choice: (row) => single(row, choices(row.field).map((one, at) => [one.id, choiceText(one), hintOf(row.field, at)])),
    scale: (row) => {
      const { low, high, ends } = row.field, said = spoken(ends, []);
      const list = [];
      for (let value = low; value <= high; value += 1) list.push([value, String(value), String(value)]);
      single(row, list);
      if (said[0] || said[1]) row.ends = `${low} ${said[0] ?? ""} – ${high} ${said[1] ?? ""}`;
    },
    checks: (row) => {
      row.options.append(...choices(row.field).map((one, at) => option(row, "checkbox", one.id, choiceText(one), hintOf(row.field, at))));
      row.show = () => row.inputs.forEach((one) => { one.input.checked = (valueOf(item(), row) || []).includes(one.value); });
      const flip = (value) => {
        const now = new Set(valueOf(item(), row) || []);
        if (!now.delete(value)) now.add(value);
        const kept = row.inputs.map((one) => one.value).filter((one) => now.has(one));
        put(row, kept.length ? kept : undefined);
      };
      for (const { input, value } of row.inputs) input.addEventListener("change", () => flip(value));
      row.digit = (digit) => {
        if (digit === "0") put(row, undefined);
        else if (row.inputs[digit - 1]) flip(row.inputs[digit - 1].value);
      };
    },
    aus: (row) => {
      const input = make("input", { type: "text", id: `r${rows.length}-0`, maxLength: 200, placeholder: t("au_hint") });
      const wrong = make("span", { className: "wrong", hidden: true });
      row.type = input;
      row.options.append(make("label", { htmlFor: input.id, className: "unseen", textContent: fieldText(row.field) }), input, wrong);
      const read = () => {
        const words = input.value.split(/[\s,;+，、；＋]+/).filter(Boolean);
        return { good: [...new Set(words.map(unit).filter(Boolean))], bad: words.filter((word) => !unit(word)) };
      };
      input.addEventListener("input", () => {
        const { good } = read();
        wrong.hidden = true;
        put(row, good.length ? good : undefined);
      });
      input.addEventListener("blur", () => {
        const { bad } = read();
        wrong.hidden = !bad.length;
        wrong.textContent = t("au_wrong", { text: bad.join(" ") });
        if (!bad.length) input.value = (valueOf(item(), row) || []).join(" ");
      });
      row.show = () => { if (document.activeElement !== input) input.value = (valueOf(item(), row) || []).join(" "); };
      row.digit = () => input.focus();
    },
    text: (row) => {
      const input = make("textarea", { id: `r${rows.length}-0`, rows: 2, maxLength: row.field.most ?? 1000, placeholder: t("text_hint") });
      row.type = input;
      row.options.append(make("label", { htmlFor: input.id, className: "unseen", textContent: fieldText(row.field) }), input);
      input.addEventListener("input", () => put(row, input.value.trim() || undefined));
      row.show = () => { if (document.activeElement !== input) input.value = valueOf(item(), row) || ""; };
      row.digit = () => {};
    },
  };
  const build = () => {
    const form = get("form");
    form.replaceChildren();
    rows = [];
    let group = null;
    const order = [];
    for (let at = 0; at < fields.length;) {
      let end = at + 1;
      while (fields[at].per_au && fields[end]?.per_au) end += 1;
      const run = fields.slice(at, end);
      if (fields[at].per_au) for (const au of item().aus) order.push(...run.map((field) => ({ field, au, first: field === run[0] })));
      else order.push({ field: fields[at], au: null, first: true });
      at = end;
    }
    for (const { field, au, first } of order) {
      const row = { field, au, inputs: [], options: make("div", { className: "options" }), type: null };
      const title = au === null ? fieldText(field) : `AU ${au} · ${fieldText(field)}`;
      const legend = make("legend", {}, au === null ? fieldText(field) : make("span", {}, first ? make("b", { textContent: `AU ${au} ` }) : "", fieldText(field)));
      if (field.required) legend.append(make("span", { className: "need", textContent: "\u00a0*", title: t("required") }));
      row.title = title;
      row.box = make("fieldset", { tabIndex: -1, className: `row ${field.kind}` }, legend, row.options);
      row.box.setAttribute("aria-label", title);
      row.box.dataset.field = field.id;
      if (au !== null) row.box.dataset.au = au;
      (kinds[field.kind] || kinds.text)(row);
      if (row.ends) legend.append(make("span", { className: "ends", textContent: row.ends }));
      row.show();
      const index = rows.push(row) - 1;
      row.box.addEventListener("focusin", () => { here = index; mark(); });
      if (au === null || first) {
        group = make("div", { className: au === null ? "line" : "line unit" });
        form.append(group);
      }
      group.append(row.box);
    }
  };
  const mark = () => rows.forEach((row, at) => row.box.classList.toggle("here", at === here));
  const focus = (index) => {
    here = Math.min(Math.max(index, 0), rows.length - 1);
    const row = rows[here];
    const best = row.inputs.find((one) => one.input.checked) || row.inputs[0];
    (row.type || !best ? row.box : best.input).focus({ preventScroll: true });
    row.box.scrollIntoView({ block: "nearest" });
    mark();
  };
  const move = (by) => focus(here + by);
  const focusMissing = () => {
    const open = rows.findIndex((row, at) => at >= here && isOpen(row));
    const found = open >= 0 ? open : rows.findIndex(isOpen);
    if (found >= 0) focus(found);
  };
  const isOpen = (row) => row.field.required && valueOf(item(), row) === undefined;

  let visited = new Set();
  const told = () => {
    const open = rows.filter(isOpen);
    get("left").textContent = open.length ? t("left", { names: open.map((row) => row.title).join(view.lang === "zh" ? "；" : ", ") }) : t("all_answered");
    get("left").classList.toggle("open", open.length > 0);
    rows.forEach((row) => {
      row.box.classList.toggle("open", visited.has(item().id) && isOpen(row));
      row.box.classList.toggle("given", valueOf(item(), row) !== undefined);
    });
    const done = items.filter((one) => stateOf(one) === "done").length;
    get("progress").textContent = t("progress", { done, all: items.length });
    Object.assign(get("bar"), { max: items.length, value: done });
    if (done === items.length && begun(answers.get(item().id))) get("left").textContent = t("bundle_done");
  };

  // ---- Moving about -------------------------------------------------------------------------
  const go = (index) => {
    if (!items[index]) return;
    touch();
    if (begun(answers.get(item().id))) { visited.add(item().id); save(); }
    view.item = index;
    keepView();
    Object.assign(look, { at: 0, flicker: false, zoom: 1, x: 0.5, y: 0.5 });
    stop();
    here = 0;
    load().then(captions);
    refresh();
    get("rating").scrollTop = 0;
    const open = rows.findIndex(isOpen);
    focus(Math.max(open, 0));
  };
  const goOpen = () => {
    for (let by = 1; by <= items.length; by += 1) {
      const index = (view.item + by) % items.length;
      if (stateOf(items[index]) !== "done") { go(index); return; }
    }
    note(t("bundle_done"));
  };
  const label = (button, text) => {
    const { key, icon } = button.dataset;
    if (icon) { button.setAttribute("aria-label", text); button.title = `${text} (${key})`; }
    button.replaceChildren(icon || text);
    if (key && !icon) button.append(" ", make("kbd", { textContent: key }));
  };
  const refresh = () => {
    const now = item();
    document.documentElement.lang = view.lang === "zh" ? "zh-Hans" : view.lang;
    document.documentElement.dataset.theme = view.theme;
    document.title = bundle.title || t("title");
    get("title").textContent = bundle.title || t("title");
    get("rater").textContent = t("rater", { rater: bundle.rater });
    tellSaved();
    get("stamp").hidden = !bundle.stamp;
    get("stamp").textContent = bundle.stamp;
    all("button[data-do]").forEach((one) => label(one, t(one.dataset.label || one.dataset.do)));
    all("[data-text]").forEach((one) => { one.textContent = t(one.dataset.text); });
    get("speeds").setAttribute("aria-label", t("speed"));
    get("which").textContent = t("clip_of", { n: view.item + 1, all: items.length });
    get("target").textContent = t("target");
    get("aus").textContent = now.aus.join(" + ") || t("not_coded");
    get("facts").textContent = t("facts", { frames: now.frames, fps: now.fps });
    get("form-title").textContent = spoken(bundle.form.title, t("answers"));
    get("help-title").textContent = t("help");
    get("clips-title").textContent = t("clips");
    get("import-title").textContent = t("import_title");
    get("instructions").textContent = t("instructions");
    get("seek").max = last();
    warn(null);
    build();
    told();
    listKeys();
    buttons();
    draw();
    mark();
  };
  const listClips = () => get("clip-list").replaceChildren(...items.map((one, at) => {
    const state = stateOf(one);
    const button = make("button", { type: "button", className: state, textContent: `${at + 1} ${{ empty: "", part: "◐", done: "✓" }[state]}` });
    button.setAttribute("aria-label", `${at + 1}: ${t(`state_${state}`)}`);
    button.title = t(`state_${state}`);
    if (at === view.item) { button.setAttribute("aria-current", "true"); button.autofocus = true; }
    button.addEventListener("click", () => { get("clips-box").close(); go(at); });
    return make("li", {}, button);
  }));
  const HELP = [
    ["Space", "key_space"], ["← →", "key_step"], ["PgUp PgDn", "key_page"], ["Home End", "key_ends"], ["o a", "key_apex"],
    ["s w", "key_speed"], ["l", "key_loop"], ["f", "key_flicker"], ["d [ ]", "key_difference"], ["+ − z", "key_zoom"],
    ["Shift ← → ↑ ↓", "key_pan"], ["t", "key_two"], ["↑ ↓", "key_rows"], ["0–9", "key_digits"], ["Del", "key_delete"],
    ["Enter", "key_enter"], ["m", "key_missing"], ["n p", "key_np"], ["u", "key_open"], ["c", "key_clips"], ["e i", "key_files"],
    ["b", "key_background"], ["g", "key_language"], ["?", "key_help"],
  ];
  const listKeys = () => get("key-list").replaceChildren(...HELP.map(([keys, text]) =>
    make("div", {}, make("dt", {}, ...keys.split(" ").map((key) => make("kbd", { textContent: key }))), make("dd", { textContent: t(text) }))));

  // ---- Files --------------------------------------------------------------------------------
  const safe = (text) => String(text).replace(/[^\w.-]/g, "_");
  const exportFile = () => {
    touch();
    save();
    const file = `ratings-${safe(bundle.bundle)}-${safe(bundle.rater)}.json`;
    const url = URL.createObjectURL(new Blob([`${JSON.stringify(gather(), null, 1)}\n`], { type: "application/json" }));
    make("a", { href: url, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    exported = true;
    const left = items.filter((one) => stateOf(one) !== "done").length;
    note(left ? t("export_part", { file, left }) : t("exported", { file }));
  };
  let waiting = null;
  const importFile = async (file) => {
    try {
      const found = understand(await file.text());
      const differ = found.filter(([id, entry]) => begun(answers.get(id)) && ordered(entry) !== ordered(answers.get(id)));
      waiting = { file: file.name, found, differ: new Set(differ.map(([id]) => id)) };
      if (!differ.length) { takeImport(true); return; }
      get("import-text").textContent = t("import_differs", { same: found.length - differ.length, differ: differ.length });
      get("import-box").showModal();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      note(t("import_wrong", { file: file.name, why: t(error.why, error.values) }));
    }
  };
  const takeImport = (theirs) => {
    get("import-box").close();
    let taken = 0;
    for (const [id, entry] of waiting.found) {
      if (waiting.differ.has(id) && !theirs) continue;
      entry.seconds = Math.max(entry.seconds, waiting.differ.has(id) ? 0 : answers.get(id).seconds);
      answers.set(id, entry);
      taken += 1;
    }
    save();
    refresh();
    focus(here);
    note(t("import_done", { n: taken, file: waiting.file }));
    waiting = null;
  };

  // ---- Keys and buttons ---------------------------------------------------------------------
  const open = (box) => { stop(); get(box).showModal(); };
  const does = {
    play: () => (look.playing ? stop() : start()),
    back: () => to(look.at - 1), forward: () => to(look.at + 1),
    to_onset: () => to(0), to_apex: () => { if (apexOf(item()) !== null) to(apexOf(item())); },
    loop: () => { view.loop = !view.loop; keepView(); restart(); },
    flicker: () => {
      if (apexOf(item()) === null) return;
      look.flicker = !look.flicker;
      if (look.flicker) start(); else to(0);
    },
    gain: () => { view.gain = GAINS[(GAINS.indexOf(view.gain) + 1) % GAINS.length]; keepView(); buttons(); draw(); },
    difference: () => { look.difference = !look.difference; buttons(); draw(); },
    zoom_in: () => zoomBy(1), zoom_out: () => zoomBy(-1),
    two: () => { view.two = !view.two; keepView(); buttons(); },
    background: () => { view.theme = view.theme === "dark" ? "light" : "dark"; keepView(); refresh(); focus(here); },
    switch: () => { view.lang = view.lang === "en" ? "zh" : "en"; keepView(); refresh(); focus(here); },
    previous: () => go(view.item - 1), next: () => (items[view.item + 1] ? go(view.item + 1) : goOpen()), next_open: goOpen,
    clips: () => { listClips(); open("clips-box"); },
    help: () => open("help-box"),
    export: exportFile, import: () => get("file").click(),
    import_file: () => takeImport(true), import_mine: () => takeImport(false),
    close: () => all("dialog[open]").forEach((box) => box.close()), cancel: () => get("import-box").close(),
  };
  const keys = {
    " ": does.play, ArrowLeft: does.back, ArrowRight: does.forward, ",": does.back, ".": does.forward,
    PageUp: () => to(Math.max(look.at - 10, 0)), PageDown: () => to(Math.min(look.at + 10, last())),
    Home: does.to_onset, End: () => to(last()), o: does.to_onset, a: does.to_apex,
    s: () => speedBy(1), w: () => speedBy(-1), l: does.loop, f: does.flicker, d: does.difference,
    "[": () => gainBy(-1), "]": () => gainBy(1), "+": does.zoom_in, "=": does.zoom_in, "-": does.zoom_out, z: () => zoomTo(1),
    t: does.two, b: does.background, g: does.switch, n: does.next, p: does.previous, u: goOpen, m: focusMissing,
    c: does.clips, e: does.export, i: does.import, "?": does.help,
    ArrowUp: () => move(-1), ArrowDown: () => move(1),
    Delete: () => put(rows[here], undefined), Backspace: () => put(rows[here], undefined),
  };
  const shifted = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
  // The letter on a Latin keyboard and the digit of the upper row, whatever the layout.
  const nameOf = (event) => {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    if (digit && !event.shiftKey) return digit[1];
    if (/^[\x20-\x7e]$/.test(event.key)) return event.key.toLowerCase();
    const letter = /^Key([A-Z])$/.exec(event.code);
    return letter ? letter[1].toLowerCase() : event.key;
  };
  const typingKey = (event) => {
    const line = event.target.matches("input");
    if (event.key === "Escape") rows[here].box.focus();
    else if (line && (event.key === "Enter" || event.key === "ArrowDown")) move(1);
    else if (line && event.key === "ArrowUp") move(-1);
    else return;
    event.preventDefault();
  };
  const dialogKey = (event, box) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "?" || (event.key === "c" && box.id === "clips-box")) box.close();
    else if (by) {
      const list = [...box.querySelectorAll("button")];
      list[(list.indexOf(document.activeElement) + by + list.length) % list.length].focus();
    } else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", (event) => {
    touch();
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = document.querySelector("dialog[open]");
    if (box) { dialogKey(event, box); return; }
    if (event.target.matches("textarea, input[type=text]")) { typingKey(event); return; }
    const key = nameOf(event);
    if (event.target.matches("button") && (key === " " || key === "Enter")) return;
    if (event.shiftKey && shifted[key]) pan(...shifted[key]);
    else if (/^\d$/.test(key)) {
      // A digit begins the text of a field that lists action units: it must reach that field.
      rows[here].digit(key);
      if (rows[here].type && document.activeElement === rows[here].type) return;
    } else if (key === "Enter" && rows[here].type) rows[here].type.focus();
    else if (key === "Enter" && event.target.matches("input[type=checkbox]")) event.target.click();
    else if (key === "Enter") move(1);
    else if (Object.hasOwn(keys, key)) keys[key]();
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    touch();
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) does[button.dataset.do]();
    else if (button.dataset.speed) speedTo(Number(button.dataset.speed));
    // After the mouse the keys should go on where the rater was, not press the button again.
    if (event.detail > 0 && !document.querySelector("dialog[open]")) focus(here);
  });
  get("seek").addEventListener("input", () => to(Number(get("seek").value)));
  get("form").addEventListener("submit", (event) => event.preventDefault());
  get("file").addEventListener("change", () => {
    const [file] = get("file").files;
    get("file").value = "";
    if (file) importFile(file);
  });
  all("dialog").forEach((box) => box.addEventListener("close", () => focus(here)));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { lastAct = performance.now(); save(); } else lastAct = performance.now();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!disk.ok && !exported) event.preventDefault();
  });
  // Another tab with the same bundle: what is answered there is answered here.
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY || event.newValue === null || document.hasFocus()) return;
    try {
      for (const [id, entry] of understand(event.newValue)) answers.set(id, entry);
      refresh();
    } catch (error) { if (!(error instanceof Refused)) throw error; }
  });

  get("speeds").append(...SPEEDS.map(([text, value]) => {
    const button = make("button", { type: "button", textContent: text });
    button.dataset.speed = value;
    return button;
  }));
  panes.forEach((pane) => { pane.sheet = item().sheets[pane.name]; hands(pane); fit.observe(pane.canvas); });
  recall();
  go(view.item);
})();
