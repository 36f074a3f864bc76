// The last events, and the plot of what happened in the last minutes.

const bucketSeconds = 10;
const buckets = 60;
const eventsShown = 100;
const series = [["granted", "Grants", ["granted"]], ["waiting", "Waits", ["waiting"]],
  ["expired", "Expiries and breaks", ["expired", "broken"]]];
const counts = new Map(series.map(([kind]) => [kind, new Map()]));
const lately = [];
let lastEvent = "";

function takeEvent(kind, event) {
  const at = event.at ? Date.parse(event.at) : serviceNow();
  const bucket = Math.floor(at / 1000 / bucketSeconds);
  for (const [name, , kinds] of series) {
    const row = counts.get(name);
    if (kinds.includes(kind)) row.set(bucket, (row.get(bucket) || 0) + 1);
  }
  lately.unshift({ kind, event, at });
  if (lately.length > eventsShown) lately.pop();
}

function drawEvents() {
  byId("no-events").hidden = lately.length > 0;
  byId("events").replaceChildren(...lately.map((line) => eventLine(line, true)));
}

/** An event in words: its holder, and where an operator ended it, which one and why. */
function eventLine({ kind, event, at }, withKey) {
  const words = make("span", {});
  if (withKey && event.key !== undefined) words.append(linkTo(event.key));
  if (event.owner) words.append(words.childNodes.length ? " · " : "", make("bdi", {}, event.owner));
  if (event.reason && event.reason !== kind) words.append(make("span", { class: "soft" }, ` (${event.reason})`));
  if (event.note) words.append(": ", make("bdi", {}, event.note));
  if (event.by) words.append(make("span", { class: "soft" }, ` by ${event.by}`));
  if (event.break_reason) words.append(make("span", { class: "soft" }, `: ${event.break_reason}`));
  if (event.detail) words.append(make("span", { class: "soft" }, ` ${event.detail}`));
  if (kind === "gap") words.append(`${event.missed ?? "some"} events are missing`);
  const time = new Date(at).toLocaleTimeString("en-GB");
  return make("li", {}, make("time", {}, time), make("span", { class: `kind ${kind}` }, kind), words);
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Three rows of bars over the same time, each with its own height, and its sum in words. */
function drawPlot() {
  const now = Math.floor(serviceNow() / 1000 / bucketSeconds);
  const [step, high] = [10, 40];
  const rows = series.map(([kind, title]) => {
    const row = counts.get(kind);
    for (const bucket of row.keys()) if (bucket <= now - buckets) row.delete(bucket);
    const values = Array.from({ length: buckets }, (_, place) => row.get(now - buckets + 1 + place) || 0);
    const [sum, most] = [values.reduce((a, b) => a + b, 0), Math.max(1, ...values)];
    const svg = shape("svg", { viewBox: `0 0 ${buckets * step} ${high}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${title} in the last ten minutes: ${sum}` });
    values.forEach((value, place) => {
      if (!value) return;
      const height = Math.max(3, (high * value) / most);
      svg.append(shape("rect", { class: kind, x: place * step + 1, y: high - height, width: step - 2, height }));
    });
    const peak = sum ? `${sum}, at most ${most} in ${bucketSeconds} s` : "none";
    return make("div", { class: "series" }, make("div", { class: "ends" }, make("b", {}, title), make("span", {}, peak)), svg);
  });
  rows.push(make("div", { class: "ends" }, make("span", {}, "10 minutes ago"), make("span", {}, "now")));
  byId("plot").replaceChildren(...rows);
}
