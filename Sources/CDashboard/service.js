// The service as this page sees it: reads, one request that changes something, and the stream of events.
// Everything it answers is put into the page as text, never as HTML.

const byId = (id) => document.getElementById(id);
let token = ""; // in memory alone: it goes with the page

/** Text of others with everything by its number that does not show: marks of direction, and what is not seen at all. */
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (mark) => `\\u{${mark.codePointAt(0).toString(16)}}`);
}

const graphemes = new Intl.Segmenter();
const endShown = 14; // so much of a name's end stays when there is no room for all of it

/** A name as text that is cut in its middle where it has no room; beginnings and ends tell names apart. */
function cut(text, attributes = {}) {
  const pieces = [...graphemes.segment(visible(text))].map(({ segment }) => segment);
  const at = pieces.length > 2 * endShown ? pieces.length - endShown : pieces.length;
  const end = pieces.slice(at).join("");
  return make("bdi", { ...attributes, class: `cut ${attributes.class ?? ""}`, title: pieces.join("") },
    make("span", { class: "start" }, pieces.slice(0, at).join("")), end ? make("span", { class: "end" }, end) : null);
}

/** An element with attributes and children; strings become text, in which everything shows. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(key, visible(value));
  }
  const shown = children.filter((child) => child !== null && child !== undefined);
  element.append(...shown.map((child) => (child instanceof Node ? child : visible(child))));
  return element;
}

class Refusal extends Error {
  constructor(status, problem) {
    super(visible(problem.detail || problem.title || `The service answered ${status}.`));
    this.status = status;
    this.code = problem.code;
  }
}

function headers(more = {}) {
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

let clockSkew = 0; // milliseconds that the service's clock is before ours
let answeredAt = Date.now(); // when the service last said anything

async function checked(answer) {
  answeredAt = Date.now();
  const date = Date.parse(answer.headers.get("Date"));
  if (date) clockSkew = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    problem.detail = token ? "The service does not know this token." : "The service asks for a token.";
    askForToken(problem.detail);
  }
  throw new Refusal(answer.status, problem);
}

async function read(path) {
  const answer = await fetch(path, { headers: headers({ Accept: "application/json" }), signal: AbortSignal.timeout(15000) });
  return (await checked(answer)).json();
}

/** All entries of a list, page after page, up to a number of pages; whether there are more. */
async function readAll(path, member, pages = 5) {
  let [entries, cursor] = [[], null];
  for (let page = 0; page < pages && (page === 0 || cursor !== null); page++) {
    const answer = await read(`${path}${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`);
    entries = entries.concat(answer[member]);
    cursor = answer.next_cursor;
  }
  return { entries, isCut: cursor !== null };
}

/** Ends a holder's lease; `Content-Type` keeps pages of others from sending the same without a preflight. */
async function breakLease(ref, words, givenToken) {
  const sent = { "Content-Type": "application/json", Accept: "application/json" };
  const bearer = givenToken || token;
  if (bearer) sent.Authorization = `Bearer ${bearer}`;
  const answer = await fetch(`/leases/${encodeURIComponent(ref)}/break`, {
    method: "POST", headers: sent, body: JSON.stringify(words), signal: AbortSignal.timeout(15000),
  });
  answeredAt = Date.now();
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    problem.detail = bearer ? "The service does not know this token." : "The service asks for the token of an admin.";
  }
  throw new Refusal(answer.status, problem);
}

let mayAsk = true; // who closed the question is not asked again before the next answer

function askForToken(detail) {
  const dialog = byId("token-dialog");
  if (!mayAsk || dialog.open || byId("admin-dialog").open) return;
  mayAsk = false;
  byId("token-text").textContent = `${detail} It is kept in this page alone, and forgotten with it.`;
  dialog.showModal();
}

/** Follows /events, by fetch because EventSource cannot send a token; calls `got(kind, event)`. */
async function follow(since, signal, got, opened) {
  const target = `/events?since=${encodeURIComponent(since || "oldest")}`;
  const answer = await checked(await fetch(target, { signal, headers: headers({ Accept: "text/event-stream" }) }));
  opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    answeredAt = Date.now();
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) deliver(frame, got);
  }
}

function deliver(frame, got) {
  const fields = { event: "message", data: "" };
  for (const line of frame.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  got(fields.id, fields.event, fields.data ? JSON.parse(fields.data) : null);
}

function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes} min ${seconds % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 10) return `${hours} h ${minutes % 60} min`;
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

const serviceNow = () => Date.now() + clockSkew;
