"use strict";
// No framework: one page, one stream of events, one list. Whatever a station says is put in as text, never as markup.

const SECONDS = 20; // on the picture
const LANES = 3; // species below it
const FADE_DB = 36; // from the darkest to the lightest
const $ = (id) => document.getElementById(id);

function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...content.filter((one) => one != null));
  return element;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the page cannot reach its station");
  }
  const answer = await response.json().catch(() => ({ error: `answer ${response.status}` }));
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

let quiet;
function say(text) {
  $("said").textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("said").textContent = ""; }, 5000);
}

const two = (number) => String(number).padStart(2, "0");
function time(utc) {
  if (!utc) return "time unknown";
  const at = new Date(utc);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// ---------------------------------------------------------------- the picture

class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.sources = new Map();
    this.shown = null;
    const again = () => this.draw();
    new ResizeObserver(again).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  }

  of(name) {
    if (!this.sources.has(name)) {
      this.sources.set(name, { columns: new Map(), scores: [], end: 0, width: 0.025, bands: 96, ticks: [] });
      this.shown ??= name;
      $("source").append(make("option", { value: name }, name));
      $("sources").hidden = this.sources.size < 2;
    }
    return this.sources.get(name);
  }

  add(message) {
    const source = this.of(message.source);
    const bytes = Uint8Array.from(atob(message.levels), (letter) => letter.charCodeAt(0));
    const first = Math.round(message.start_s / message.column_s);
    const count = bytes.length / message.bands;
    if (first * message.column_s < source.end - 5) source.columns.clear(); // it began anew
    for (let index = 0; index < count; index += 1) {
      const withheld = message.withheld[index] === 1;
      source.columns.set(first + index, withheld ? null : bytes.subarray(index * message.bands, (index + 1) * message.bands));
    }
    Object.assign(source, { width: message.column_s, bands: message.bands, ticks: message.ticks, step: message.step_db });
    source.end = (first + count) * message.column_s;
    const oldest = first + count - SECONDS / message.column_s;
    for (const key of source.columns.keys()) if (key < oldest) source.columns.delete(key);
    this.level(source, bytes);
    if (message.source === this.shown) this.draw();
  }

  score(message) {
    const source = this.of(message.source);
    if (source.scores.length && message.end_s < source.scores.at(-1).end_s - 5) source.scores = [];
    source.scores.push(message);
    if (!source.columns.size) source.end = message.end_s;
    source.scores = source.scores.filter((one) => one.end_s > source.end - SECONDS - 5);
    if (!source.columns.size && message.source === this.shown) this.draw();
  }

  // What is usual in a band is the background: it falls at once and rises slowly, so that a long song stays in sight.
  level(source, bytes) {
    const count = bytes.length / source.bands;
    source.usual ??= new Float32Array(source.bands).fill(-1);
    for (let band = 0; band < source.bands; band += 1) {
      const heard = [];
      for (let column = 0; column < count; column += 1) {
        const level = bytes[column * source.bands + band];
        if (level > 0) heard.push(level);
      }
      if (heard.length < 4) continue;
      const soft = heard.sort((one, other) => one - other)[heard.length >> 2];
      const usual = source.usual[band];
      const share = usual < 0 ? 1 : soft < usual ? 0.3 : 0.02;
      source.usual[band] += share * (soft - usual);
    }
  }

  draw() {
    const source = this.sources.get(this.shown);
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!source || !width) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.imageSmoothingEnabled = false;
    const style = getComputedStyle(document.documentElement);
    const colours = Object.fromEntries(["paper", "ink", "muted", "line", "accent"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    const lanes = this.lanes(source);
    const left = 44;
    const box = { left, top: 4, width: width - left - 2, height: height - 26 - LANES * 20 };
    const x = (second) => box.left + box.width * (1 + (second - source.end) / SECONDS);
    this.columns(pen, source, box, colours);
    pen.font = '12px system-ui, "DejaVu Sans", sans-serif';
    pen.textBaseline = "middle";
    this.frequencies(pen, source, box, colours);
    this.names(pen, source, lanes, box, x, colours);
    this.seconds(pen, source, box, x, height, colours);
    this.canvas.dataset.end = source.end.toFixed(3);
  }

  columns(pen, source, box, colours) {
    const count = Math.round(SECONDS / source.width);
    if (!source.columns.size) return;
    const image = new ImageData(count, source.bands);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const last = Math.round(source.end / source.width);
    const scale = 255 / (FADE_DB / source.step);
    const hidden = [];
    for (let column = 0; column < count; column += 1) {
      const levels = source.columns.get(last - count + column);
      if (levels === null) hidden.push(column);
      if (!levels) continue;
      for (let band = 0; band < source.bands; band += 1) {
        const loud = Math.max(0, Math.min(255, (levels[band] - source.usual[band] - 20) * scale));
        const at = 4 * ((source.bands - 1 - band) * count + column);
        const shade = dark ? [loud, loud * 0.88, 40 + loud * 0.55] : [255 - loud, 255 - loud * 0.9, 255 - loud * 0.65];
        image.data.set([...shade, 255], at);
      }
    }
    const sheet = new OffscreenCanvas(count, source.bands);
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.drawImage(sheet, box.left, box.top, box.width, box.height);
    const step = box.width / count;
    pen.fillStyle = colours.line;
    for (const column of hidden) if (column % 4 < 2) pen.fillRect(box.left + column * step, box.top, step + 0.5, box.height);
    $("live-note").textContent = hidden.length
      ? "Where it is striped somebody spoke: that is not shown."
      : "What was heard up to two or three seconds ago. Where somebody speaks nothing is shown.";
  }

  frequencies(pen, source, box, colours) {
    pen.textAlign = "right";
    for (const [hertz, band] of source.ticks) {
      const y = box.top + box.height * (1 - (band + 0.5) / source.bands);
      pen.fillStyle = colours.muted;
      pen.fillText(hertz < 1000 ? `${hertz}` : `${hertz / 1000} k`, box.left - 6, y);
      pen.fillRect(box.left - 4, y - 0.5, 4, 1);
    }
  }

  lanes(source) {
    const best = new Map();
    for (const message of source.scores) {
      for (const [label, name, score] of message.scores) {
        if (score >= 0.1 && score > (best.get(label)?.[1] ?? 0)) best.set(label, [name, score]);
      }
    }
    return [...best].sort((a, b) => b[1][1] - a[1][1]).slice(0, LANES);
  }

  names(pen, source, lanes, box, x, colours) {
    lanes.forEach(([label, [name]], index) => {
      const top = box.top + box.height + 4 + index * 20;
      for (const message of source.scores) {
        const score = message.scores.find((one) => one[0] === label)?.[2] ?? 0;
        const from = Math.max(box.left, x(message.start_s));
        const to = Math.min(box.left + box.width, x(message.end_s));
        if (score < 0.1 || to <= from) continue;
        pen.globalAlpha = 0.12 + 0.45 * score;
        pen.fillStyle = colours.accent;
        pen.fillRect(from, top, to - from, 16);
      }
      pen.globalAlpha = 1;
      const last = source.scores.at(-1)?.scores.find((one) => one[0] === label)?.[2] ?? 0;
      pen.textAlign = "left";
      pen.fillStyle = colours.ink;
      pen.fillText(`${name} ${last.toFixed(2)}`, box.left + 4, top + 9);
    });
  }

  seconds(pen, source, box, x, height, colours) {
    pen.fillStyle = colours.muted;
    pen.textAlign = "center";
    for (let back = 0; back <= SECONDS; back += 5) {
      const at = Math.min(box.left + box.width - 14, Math.max(box.left + 14, x(source.end - back)));
      pen.fillText(back ? `−${back} s` : "now", at, height - 9);
    }
  }
}

// ---------------------------------------------------------------- detections

let me = {};
const cards = new Map();
let next = null;

function passes(found) {
  const verdict = $("verdict").value;
  const species = $("species").value;
  return (verdict === "any" || verdict === (found.verdict?.verdict ?? "open")) && (!species || species === found.label);
}

function known(found) {
  const select = $("species");
  if (![...select.options].some((one) => one.value === found.label)) {
    select.append(make("option", { value: found.label }, found.common_name || found.label));
  }
}

function words(found) {
  const said = found.verdict;
  if (!said) return "";
  const what = { confirmed: "Confirmed", rejected: "Rejected", other: `It is ${said.scientific_name}` }[said.verdict];
  return `${what}${said.who ? ` by ${said.who}` : ""}${said.note ? `: ${said.note}` : ""}`;
}

function card(found) {
  known(found);
  const item = make("li", { tabindex: "0", "data-id": found.id, class: found.verdict?.verdict });
  const length = Math.max(0, found.offset_s - found.onset_s);
  item.append(
    make("div", { class: "head" },
      make("b", {}, found.common_name || found.label), make("i", {}, found.scientific_name),
      make("span", { class: "confidence", title: "confidence" }, found.confidence.toFixed(2))),
    make("div", { class: "when", title: found.onset_utc ?? "" },
      `${time(found.onset_utc)}, ${length.toFixed(0)} s, ${found.recording}`),
    make("div", { class: "said-of" }, words(found)),
    acts(found, item));
  item.addEventListener("keydown", (event) => {
    if (event.target !== item || event.ctrlKey || event.metaKey || event.altKey) return;
    item.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  });
  return item;
}

function acts(found, item) {
  const row = make("div", { class: "acts" });
  if (found.clip) row.append(make("button", { type: "button", "data-key": "l", onclick: () => listen(found, item) }, "Listen"));
  if (!me.may_write) return row;
  const pressed = (word) => String(found.verdict?.verdict === word);
  row.append(
    make("button", { type: "button", "data-key": "c", "aria-pressed": pressed("confirmed"),
      onclick: () => judge(found, "confirmed") }, "It is"),
    make("button", { type: "button", "data-key": "r", "aria-pressed": pressed("rejected"),
      onclick: () => judge(found, "rejected") }, "It is not"),
    make("button", { type: "button", "data-key": "o", "aria-pressed": pressed("other"),
      onclick: () => instead(found, item) }, "Another …"));
  return row;
}

function listen(found, item) {
  const playing = item.querySelector("audio");
  if (playing) {
    if (playing.paused) playing.play(); else playing.pause();
    return;
  }
  const path = `/api/detections/${found.id}`;
  const image = make("img", { alt: `Spectrogram of the clip: ${found.common_name}`, src: `${path}/picture` });
  image.addEventListener("error", () => image.remove());
  const audio = make("audio", { controls: true, src: `${path}/sound`, "aria-label": `Sound of ${found.common_name}` });
  audio.addEventListener("error", () => { audio.remove(); say("Its sound cannot be had: it is gone."); });
  item.append(image, audio);
  audio.play().catch(() => {});
}

function instead(found, item) {
  const open = item.querySelector("form");
  if (open) { open.remove(); return; }
  const name = make("input", { required: true, maxlength: "100", "aria-label": "Scientific name of what is heard", placeholder: "scientific name of what is heard" });
  const note = make("input", { maxlength: "500", "aria-label": "Note", placeholder: "note" });
  const form = make("form", { class: "instead" }, name, note, make("button", { type: "submit" }, "Keep"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    judge(found, "other", name.value, note.value);
  });
  item.append(form);
  name.focus();
}

async function judge(found, verdict, species = "", note = "") {
  try {
    const who = $("who").value;
    await ask("/api/verdicts", { detection: found.id, verdict, scientific_name: species, who, note });
    await renew(found.id);
    say("Kept.");
  } catch (error) {
    say(`Not kept: ${error.message}.`);
    if (error.status === 401) enter();
  }
}

async function renew(id) {
  if (!cards.has(id)) return null;
  const found = await ask(`/api/detections/${id}`);
  const before = cards.get(id); // asked for only now: another answer may have put a new one there meanwhile
  if (!before) return null;
  const after = card(found);
  const focused = before.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  for (const playing of before.querySelectorAll("audio, img")) after.append(playing);
  before.replaceWith(after);
  cards.set(id, after);
  if (focused) after.querySelector(`[data-key="${focused}"]`)?.focus();
  return found;
}

// A clip is written some seconds after its detection, or never.
const CLIP_AFTER_S = [4, 8, 30];
function awaitClip(id, tried) {
  if (tried === CLIP_AFTER_S.length) return;
  setTimeout(async () => {
    const found = await renew(id).catch(() => null);
    if (!found?.clip) awaitClip(id, tried + 1);
  }, 1000 * CLIP_AFTER_S[tried]);
}

function arrived(news) {
  for (const found of news.detections) {
    known(found);
    if (cards.has(found.id) || !passes(found)) continue;
    const item = card(found);
    cards.set(found.id, item);
    $("list").prepend(item);
    $("none").hidden = true;
  }
  for (const found of news.detections) if (!found.clip && me.clips) awaitClip(found.id, 0);
  for (const id of news.judged) renew(id).catch(() => {});
}

const MOST_SHEETS = 25; // looked through for one that holds something, where only some are wanted
async function older(anew = false) {
  if (anew) {
    cards.clear();
    $("list").replaceChildren();
    next = null;
  }
  const query = new URLSearchParams({ limit: "30", verdict: $("verdict").value, species: $("species").value });
  $("more").disabled = true;
  try {
    let sheet;
    for (let looked = 0; looked < MOST_SHEETS; looked += 1) {
      if (next !== null) query.set("before", next);
      sheet = await ask(`/api/detections?${query}`);
      next = sheet.next;
      if (sheet.detections.length || next === null) break;
    }
    for (const found of sheet.detections) {
      if (cards.has(found.id)) continue;
      const item = card(found);
      cards.set(found.id, item);
      $("list").append(item);
    }
    $("more").hidden = next === null;
    $("none").hidden = cards.size > 0;
    $("none").textContent = next === null ? "None so far." : "None among the newest; look among older ones.";
  } catch (error) {
    $("none").hidden = false;
    $("none").textContent = `Could not look: ${error.message}.`;
  }
  $("more").disabled = false;
}

// ---------------------------------------------------------------- effort, health, configuration

const PARTS = ["heard", "paused", "withheld", "lost"];

async function effort() {
  try {
    const { hours } = await ask("/api/effort?hours=72");
    drawEffort(hours.reverse());
  } catch (error) {
    $("effort-sum").textContent = `Could not look: ${error.message}.`;
  }
}

function drawEffort(hours) {
  const sums = PARTS.map((part) => hours.reduce((sum, hour) => sum + hour[`${part}_s`], 0));
  const all = sums.reduce((a, b) => a + b, 0);
  $("effort-sum").textContent = all
    ? `${hours.length} accounts since ${time(hours[0].start_utc)}: ${PARTS.map((part, index) => `${part} ${(100 * sums[index] / all).toFixed(1)} %`).join(", ")}.`
    : "No account yet; one is made every hour.";
  const svg = $("effort");
  svg.replaceChildren();
  if (!all) return;
  svg.setAttribute("viewBox", "0 0 720 100");
  svg.setAttribute("preserveAspectRatio", "none");
  const width = 720 / Math.max(hours.length, 24);
  hours.forEach((hour, index) => {
    let top = 100;
    const whole = PARTS.reduce((sum, part) => sum + hour[`${part}_s`], 0) || 1;
    for (const part of PARTS) {
      const height = 100 * Math.min(1, whole / 3600 + 0.001) * hour[`${part}_s`] / whole;
      top -= height;
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [key, value] of Object.entries({ x: index * width, y: top, width: width * 0.85, height, class: `bar-${part}` })) bar.setAttribute(key, value);
      svg.append(bar);
    }
  });
}

const size = (bytes) => (bytes == null ? "unknown" : bytes > 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`);

function health(message) {
  const rows = [
    ["as of", time(message.at_utc)], ["running for", `${(message.uptime_s / 3600).toFixed(1)} h`],
    ["clock", `${message.clock_quality}${message.clock_error_s == null ? "" : `, right to ${message.clock_error_s.toFixed(3)} s`}`],
    ...message.sources.map((one) => [one.name, `${one.state}${one.trouble ? `: ${one.trouble}` : ""}${one.level_dbfs == null ? "" : `, ${one.level_dbfs.toFixed(1)} dBFS`}${one.clipped_s ? `, ${one.clipped_s.toFixed(1)} s clipped` : ""}`]),
    ...message.models.filter((one) => one.measure).map((one) => [one.model, `cannot keep up: measure ${one.measure}`]),
    ["detections today", message.detections_today ?? "unknown"],
    ["to be sent", message.outbox ? `${message.outbox.rows} messages${message.outbox.refused ? `, ${message.outbox.refused} refused: ${message.outbox.refused_reason}` : ""}` : "unknown"],
    ["store", message.store_failing_s == null ? "writes" : `has refused for ${message.store_failing_s.toFixed(0)} s`],
    ["free disk", size(message.free_disk_bytes)], ["memory", size(message.memory_bytes)],
    ["processor", message.cpu_share == null ? "unknown" : `${(100 * message.cpu_share).toFixed(1)} % of a core`],
    ["temperature", message.temperature_c == null ? "unknown" : `${message.temperature_c.toFixed(0)} °C`],
  ];
  $("health").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  $("health-note").hidden = true;
}

async function check() {
  $("check").disabled = true;
  try {
    const { findings } = await ask("/api/check");
    $("findings").replaceChildren(...findings.map((one) => make("li", { class: one.light },
      make("span", { class: "light" }, one.light), ` ${one.check}: ${one.found} ${one.advice}`)));
  } catch (error) {
    $("findings").replaceChildren(make("li", { class: "red" }, `Could not look: ${error.message}.`));
  }
  $("check").disabled = false;
}

// ---------------------------------------------------------------- what happens

const picture = new Picture($("picture"));

function state(kind, text) {
  $("state").textContent = text;
  $("state").className = `state ${kind}`;
}

function lasting(message) {
  $("lasting").replaceChildren(...message.detections.map((one) => make("li", { "data-id": one.id },
    `${one.common_name || one.label} ${one.confidence.toFixed(2)}`)));
}

const HEARD = {
  there: () => state("there", "listening"),
  gone: (message) => { state("gone", message.reason); $("lasting").replaceChildren(); },
  store: (message) => { if (message.reason) say(message.reason); },
  hello: (message) => { $("station").textContent = message.station; },
  health: (message) => health(message.health),
  picture: (message) => picture.add(message),
  scores: (message) => picture.score(message),
  lasting,
  news: (message) => arrived(message.news),
};

let stream;
let lost = false;
function follow() {
  stream?.close();
  stream = new EventSource("/api/events");
  stream.onmessage = (event) => {
    const message = JSON.parse(event.data);
    HEARD[message.kind]?.(message);
  };
  stream.onopen = () => {
    if (lost) older(true); // what came meanwhile
    lost = false;
  };
  stream.onerror = () => {
    lost = true;
    state("gone", "the page has lost its station and tries again");
    if (stream.readyState === EventSource.CLOSED) setTimeout(start, 5000);
  };
}

function enter() {
  stream?.close();
  $("main").hidden = true;
  $("login").hidden = false;
  state("", "log in");
  $("token").focus();
}

async function start() {
  try {
    me = await ask("/api/station");
  } catch (error) {
    state("gone", error.message);
    setTimeout(start, 5000);
    return;
  }
  $("leave").hidden = !(me.token && me.may_look);
  if (!me.may_look) { enter(); return; }
  $("login").hidden = true;
  $("main").hidden = false;
  $("station").textContent = me.station;
  document.title = `${me.station} · Dawn Chorus`;
  $("missing").hidden = !me.missing.length;
  $("missing").replaceChildren(...me.missing.map((one) => make("li", {}, one)));
  for (const element of document.querySelectorAll(".writes")) element.hidden = !me.may_write;
  $("no-writes").hidden = me.may_write || me.missing.length > 0;
  $("no-writes").textContent = "You can look. To judge detections the page has to be started with --token-file.";
  await older(true);
  effort();
  follow();
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("wrong").textContent = "";
  try {
    await ask("/api/login", { token: $("token").value });
    $("token").value = "";
    start();
  } catch (error) {
    $("wrong").textContent = `${error.message}.`;
  }
});
$("leave").addEventListener("click", async () => { await ask("/api/logout", {}).catch(() => {}); start(); });
$("verdict").addEventListener("change", () => older(true));
$("species").addEventListener("change", () => older(true));
$("more").addEventListener("click", () => older());
$("check").addEventListener("click", check);
$("source").addEventListener("change", () => { picture.shown = $("source").value; picture.draw(); });
try {
  $("who").value = localStorage.getItem("who") ?? "";
  $("who").addEventListener("change", () => localStorage.setItem("who", $("who").value));
} catch {
  // a browser that keeps nothing asks for the name each time
}
// A page that nobody sees costs the station nothing.
let unseen;
document.addEventListener("visibilitychange", () => {
  clearTimeout(unseen);
  if (document.hidden) unseen = setTimeout(() => stream?.close(), 10000);
  else if (stream?.readyState === EventSource.CLOSED && !$("main").hidden) start();
});
setInterval(() => { if (!$("main").hidden && !document.hidden) effort(); }, 600000);
start();
