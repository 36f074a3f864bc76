// Which page is shown, what is read when, and what is said when the service does not answer.

const patience = 3000; // without an answer for so long, the page says so
let view = null; // "list", "lock" or "owner"
let listIsOld = true;
let listReadAt = 0;
let isListReading = false;
let eventsAreNew = true;
let kernelReadAt = 0;
let askedAt = 0;
let turnedAt = Date.now();
let isConnected = false;
let isAway = false;
let following = new AbortController();

function say(text, isOn) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  byId("dot").className = `dot ${isOn ? "on" : "off"}`;
}

async function tries(work) {
  try {
    await work();
    return true;
  } catch (error) {
    say(error instanceof Refusal ? error.message : "The service does not answer; trying again", false);
    return false;
  }
}

// Which page.

function show(isReturn = false) {
  const [, part, name] = /^\/ui\/(locks|owners)\/([^/]+)$/.exec(location.pathname) ?? [];
  lock = owner = null;
  view = part === "locks" ? "lock" : part === "owners" ? "owner" : "list";
  const text = name === undefined ? "" : decodeURIComponent(name);
  if (view === "lock") lock = { path: location.pathname.slice(3) + location.search, key: text, details: undefined, readAt: 0, isWanted: true, history: [], ids: new Set() };
  if (view === "owner") owner = { name: text, leases: [], readAt: 0, isWanted: true };
  for (const one of ["list", "lock", "owner"]) byId(`${one}-view`).hidden = one !== view;
  document.title = text ? `${visible(text)} · Leasehold` : "Leasehold";
  for (const id of ["reason", "all-reason"]) byId(id).value = "";
  for (const id of ["end-error", "all-error", "history", "sentence", "holders", "queue", "facts", "copies", "mend", "leases"]) byId(id).replaceChildren();
  byId("copies").dataset.drawn = byId("end-all").dataset.sure = "";
  if (lock) {
    byId("lock-title").replaceChildren(make("bdi", {}, text));
    tries(readHistory);
  }
  if (owner) byId("owner-title").replaceChildren(make("bdi", {}, text));
  listIsOld = true;
  turn();
  if (view === "list") {
    drawList(true);
    if (isReturn) rowLink(lastOpened)?.focus();
  } else {
    byId(`${view}-title`).focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function go(path) {
  history.pushState(null, "", path);
  show(path === "/");
}

let listURL = "/"; // to which the way back leads

function clicked(event) {
  const link = event.target.closest?.("a[data-go]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  leave(link.closest("tr")?.dataset.address);
  if (link.dataset.back !== undefined) back();
  else go(link.getAttribute("href"));
}

/** Keeps what the list was, for who comes back. */
function leave(place) {
  if (view !== "list") return;
  listURL = location.pathname + location.search;
  if (place) lastOpened = place;
}

function back() {
  history.pushState(null, "", listURL);
  show(true);
}

// By keyboard.

const rowLink = (place) => [...byId("rows").children].find((row) => row.dataset.address === place)?.querySelector("a");

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    if (view !== "list") back();
    byId("search").focus();
    byId("search").select();
  } else if (event.key === "Escape" && view !== "list") {
    if (isTyping) event.target.blur();
    else back();
  } else if (view === "list" && (event.key === "ArrowDown" || event.key === "ArrowUp")
    && (!isTyping || event.target.id === "search") && !event.target.closest(".scroll")) {
    const rows = [...byId("rows").children];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    if (next < 0 && at === 0) byId("search").focus();
    if (!rows[Math.max(next, 0)] || next < 0) return;
    event.preventDefault();
    rows[next].querySelector("a").focus();
  }
}

// What is read when.

async function refreshList() {
  listIsOld = false;
  isListReading = true;
  listReadAt = Date.now();
  if (await tries(readList) && isConnected) say("Live", true);
  isListReading = false;
}

/** A stream is silent when nothing happens, and when nobody is there: so the service is asked, too. */
async function knock() {
  askedAt = Date.now();
  try {
    await fetch("/healthz", { signal: AbortSignal.timeout(2000) });
    answeredAt = Date.now();
  } catch {
    // What is not answered is told by the time since the last answer.
  }
}

/** Tells where one looks that what is shown is old. */
function noticeSilence(now) {
  // Who slept, or was in the background, has not asked.
  if (now - turnedAt > 2000) answeredAt = Math.max(answeredAt, now - 1000);
  turnedAt = now;
  if (now - answeredAt > 1000 && now - askedAt > 1000) knock();
  const isSilent = now - answeredAt > patience;
  if (isSilent === isAway) return;
  isAway = isSilent;
  document.body.classList.toggle("is-away", isAway);
  byId("away").hidden = !isAway;
  byId("away").textContent = isAway ? `No answer since ${new Date(answeredAt).toLocaleTimeString("en-GB")}` : "";
  for (const set of document.querySelectorAll("fieldset")) set.disabled = isAway;
  for (const button of document.querySelectorAll("#admin-submit, #variables button, #segments button")) button.disabled = isAway;
  if (isAway) say("The service does not answer; trying again", false);
  else if (isConnected) say("Live", true);
  if (!isAway) listIsOld = true;
}

function turn() {
  if (document.hidden) return;
  const now = Date.now();
  noticeSilence(now);
  const pause = 1000 + 3 * known.size;
  if (view === "list") {
    if (!isListReading && ((listIsOld && now - listReadAt > pause) || now - listReadAt > 5000)) refreshList();
    if (now - kernelReadAt > 10000 && !isAway) {
      kernelReadAt = now;
      tries(readKernel);
    }
  }
  for (const [one, readIt] of [[lock, readLock], [owner, readOwner]]) {
    if (one && ((one.isWanted && now - one.readAt > 300) || now - one.readAt > 2000)) tries(readIt);
  }
  if (!isAway) tick();
  if (eventsAreNew) {
    eventsAreNew = false;
    drawEvents();
    drawPlot();
    drawHistory();
  }
}

function tick() {
  if (view !== "list") return tickClocks(byId(`${view}-view`));
  for (const item of known.values()) if (item.row?.isConnected) tickRow(item);
}

function gotEvent(id, kind, event) {
  if (id) lastEvent = id;
  if (!event) return;
  takeEvent(kind, event);
  eventsAreNew = true;
  if (lock) {
    remember(lock, id, kind, event);
    lock.isWanted ||= lock.key === event.key;
  }
  if (owner) owner.isWanted = true;
  if (kind !== "renewed") listIsOld = true;
}

/** Goes on where it was cut, with a longer pause each time it fails. */
async function followForever() {
  following.abort();
  const mine = following = new AbortController();
  for (let pause = 1000; !mine.signal.aborted; pause = Math.min(8000, pause * 2)) {
    await tries(() => follow(lastEvent, mine.signal, gotEvent, () => {
      isConnected = true;
      listIsOld = true;
      pause = 500;
      say("Live", true);
    }));
    if (mine.signal.aborted) return;
    isConnected = false;
    if (byId("status").textContent === "Live") say("The stream of events ended; trying again", false);
    await new Promise((done) => setTimeout(done, pause));
  }
}

function submitToken(event) {
  event.preventDefault();
  token = byId("token").value.trim();
  mayAsk = true;
  byId("token").value = "";
  byId("token-dialog").close();
  kernelReadAt = listReadAt = 0;
  followForever();
  show();
}

function listen() {
  byId("open-token").addEventListener("click", () => byId("token-dialog").showModal());
  byId("token-dialog").querySelector("form").addEventListener("submit", submitToken);
  byId("admin-dialog").querySelector("form").addEventListener("submit", submitAdmin);
  byId("end-all").addEventListener("click", endAll);
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("search").addEventListener("input", () => ask({ q: byId("search").value }));
  byId("owner").addEventListener("input", () => ask({ owner: byId("owner").value }));
  byId("show").addEventListener("change", () => ask({ state: byId("show").value }));
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => ask({ sort: button.dataset.sort }));
  }
  byId("resort").addEventListener("click", () => drawList(true));
  byId("more-button").addEventListener("click", () => {
    showsAll = true;
    drawList(true);
  });
  const point = (isOver) => () => {
    isPointed = isOver;
    if (!isOver) drawList();
  };
  byId("rows").addEventListener("pointerenter", point(true));
  byId("rows").addEventListener("pointerleave", point(false));
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  addEventListener("popstate", () => show(true));
}

function begin() {
  byId("plain").hidden = true;
  byId("open-token").hidden = false;
  byId("where").textContent = location.host;
  say("Connecting", false);
  listen();
  setInterval(turn, 250);
  setInterval(drawPlot, 5000);
  drawPlot();
  followForever();
  show();
}

begin();
