// The table of locks. The list is read as a whole, who holds and who waits only for the rows that can be seen.

const firstRows = 50;
const peopleShown = 8;
const known = new Map(); // address to { lock, details, row, cells, isVisible, wanted, readAt }
let showsAll = false;
let isCut = false;

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const item = known.get(entry.target.dataset.address);
    if (item) item.isVisible = entry.isIntersecting;
  }
}, { rootMargin: "200px" });

/** Where a lock is read. Some names say only with the numbers of their semaphores which lock is meant. */
function address({ key, dialect, sysv }) {
  const words = new URLSearchParams({ limit: 20 });
  if (dialect === "apache") {
    const [reader, writer] = sysv.semaphores;
    words.set("semaphore_key", sysv.key);
    words.set("nsems", 2 * (writer - reader));
  } else if (dialect === "path") {
    words.set("project", (sysv.key >>> 24) & 0xff);
    words.set("sem", sysv.semaphores[0]);
  }
  return `/locks/${encodeURIComponent(key)}?${words}`;
}

/** Takes a new list; locks keep their rows. */
function takeLocks(list) {
  isCut = list.next_cursor !== null;
  const addresses = new Set(list.locks.map(address));
  for (const [place, item] of known) {
    if (addresses.has(place)) continue;
    item.row?.remove();
    if (item.row) watcher.unobserve(item.row);
    known.delete(place);
  }
  for (const lock of list.locks) {
    const item = known.get(address(lock));
    if (!item) {
      known.set(address(lock), { lock, isVisible: false, wanted: true, readAt: 0 });
    } else {
      item.wanted ||= uses(item.lock) !== uses(lock);
      item.lock = lock;
    }
  }
  drawLocks();
}

/** What is known of the locks of a name is old. */
function wake(key) {
  for (const item of known.values()) if (item.lock.key === key) item.wanted = true;
}

/**
 * Whether native programs hold some of it. Of sets that others made the service may not know how much there is; but
 * what is taken and on no lease is theirs.
 */
function isNative(lock) {
  if (lock.native_held !== null) return lock.native_held > 0;
  return lock.available === 0 && lock.held === 0;
}

/** What changes when somebody takes or gives back; of native programs there are no events. */
function uses({ held, cooling, waiting, damaged, queued_for: others, fence, available, native_held: native, sysv }) {
  return `${held} ${cooling} ${waiting} ${damaged} ${others} ${fence} ${available} ${native} ${sysv?.pid}`;
}

function chosen() {
  const [part, show] = [byId("filter").value.toLowerCase(), byId("show").value];
  return [...known.values()].sort((a, b) => (a.lock.key < b.lock.key ? -1 : 1)).filter(({ lock }) =>
    lock.key.toLowerCase().includes(part)
    && (show !== "held" || lock.held > 0 || isNative(lock)) && (show !== "waiting" || lock.waiting > 0)
    && (show !== "damaged" || lock.damaged)
    && (show !== "native" || isNative(lock)));
}

function drawLocks() {
  const items = chosen();
  const shown = showsAll ? items : items.slice(0, firstRows);
  const body = byId("rows");
  const rows = new Set();
  let place = body.firstElementChild;
  for (const item of shown) {
    if (!item.row) makeRow(item);
    drawUse(item);
    rows.add(item.row);
    if (item.row === place) {
      place = place.nextElementSibling;
    } else {
      body.insertBefore(item.row, place);
      watcher.observe(item.row);
    }
  }
  for (const row of [...body.children]) if (!rows.has(row)) row.remove();
  const empty = byId("empty");
  empty.hidden = items.length > 0;
  empty.textContent = known.size ? "No lock is like that." : "No locks now: a lock appears with its first acquire.";
  body.parentElement.hidden = items.length === 0;
  byId("more").hidden = shown.length === items.length && !isCut;
  byId("more-button").hidden = shown.length === items.length;
  byId("more-text").textContent = `${shown.length} of ${items.length}${isCut ? " or more" : ""} locks are shown.`;
  drawCounts();
}

function drawCounts() {
  const locks = [...known.values()].map((item) => item.lock);
  const sum = (member) => locks.reduce((total, lock) => total + (lock[member] || 0), 0);
  byId("count-locks").textContent = `${locks.length}${isCut ? "+" : ""}`;
  byId("count-leases").textContent = sum("held");
  byId("count-waiters").textContent = sum("waiting");
  byId("count-native").textContent = locks.filter(isNative).length;
}

function makeRow(item) {
  const cells = [make("th", { scope: "row", role: "rowheader" })];
  for (let index = 0; index < 3; index++) cells.push(make("td", { role: "cell" }));
  item.row = make("tr", { role: "row" }, ...cells);
  item.row.dataset.key = item.lock.key;
  item.row.dataset.address = address(item.lock);
  item.cells = cells;
  cells[0].append(make("bdi", {}, item.lock.key), make("div", { class: "soft number" }));
}

/** What is free, in words. */
function slots(lock) {
  if (lock.kind === "rw") return "readers and writers";
  return lock.limit === null ? `${lock.available ?? "?"} free` : `${lock.available ?? "?"} of ${lock.limit} free`;
}

function drawUse({ lock, cells }) {
  const text = JSON.stringify([lock.kind, lock.limit, lock.available, lock.native_held, lock.fence, lock.held, lock.waiting,
    lock.cooling, lock.damaged, lock.queued_for]);
  if (cells[1].dataset.drawn === text) return;
  cells[1].dataset.drawn = text;
  const [style, word] = useInWords(lock);
  const lines = [make("span", { class: `tag ${style}` }, word), make("div", { class: "soft" }, slots(lock))];
  if (lock.damaged) {
    lines.push(make("div", { class: "soft" }, "another program wrote its values, so nothing is granted; to mend it: ",
      make("code", {}, `DELETE /locks/${encodeURIComponent(lock.key)}?force=true`)));
  }
  if (lock.queued_for.length) {
    lines.push(make("div", { class: "soft" }, "free, but the first in its queue also waits for ", ...names(lock.queued_for)));
  }
  if (lock.suspects) lines.push(make("div", { class: "soft" }, `${lock.suspects} suspect`));
  cells[1].replaceChildren(...lines);
  cells[0].lastElementChild.textContent = lock.fence ? `fence ${lock.fence}` : "";
}

/** How a lock is used, as a class of the tag and a word. */
function useInWords(lock) {
  if (lock.damaged) return ["lost", "damaged"];
  if (lock.waiting) return ["wait", "contended"];
  if (lock.held || isNative(lock)) return ["held", "held"];
  return lock.cooling ? ["wait", "cools down"] : ["free", "free"];
}

/** Names of locks with commas between them. */
function names(keys) {
  return keys.flatMap((key, place) => [place ? ", " : "", make("bdi", {}, key)]);
}

const moving = new Set(["age_ms", "wait_left_ms", "expires_in_ms"]); // what differs in each answer about the same

function drawPeople(item) {
  const { details, lock } = item;
  item.lock = { ...lock };
  for (const member of ["held", "cooling", "waiting", "damaged", "queued_for", "available", "native_held", "fence", "limit", "sysv"]) {
    item.lock[member] = details[member];
  }
  drawUse(item);
  // A button that is drawn anew between press and release of the mouse is not clicked: only what changed is.
  const text = JSON.stringify(details, (name, value) => (moving.has(name) ? undefined : value));
  if (item.drawn !== text) drawCells(item);
  item.drawn = text;
  tick(item);
}

function drawCells(item) {
  const { details, cells } = item;
  const focused = cells[2].contains(document.activeElement) ? document.activeElement.dataset.ref : null;
  item.ticking = [];
  const holders = details.holders.slice(0, peopleShown).map((holder) => drawHolder(item, holder));
  const more = details.held + details.cooling - holders.length;
  if (more > 0) holders.push(make("div", { class: "soft" }, `and ${more} more`));
  if (isNative(details)) holders.push(drawNative(details));
  cells[2].replaceChildren(...holders);
  const waiters = details.waiters.slice(0, peopleShown).map((waiter) => drawWaiter(item, waiter));
  const list = waiters.length ? [make("ol", { class: "waits" }, ...waiters)] : [];
  if (details.waiting > waiters.length) list.push(make("div", { class: "soft" }, `and ${details.waiting - waiters.length} more`));
  cells[3].replaceChildren(...list);
  if (focused) [...cells[2].querySelectorAll("button")].find((button) => button.dataset.ref === focused)?.focus();
}

/** Where somebody is, as far as it is known. */
function whereabouts({ pid, uid, peer, bind }) {
  const words = [];
  if (pid) words.push(`pid ${pid}`);
  if (uid !== null && uid !== undefined) words.push(`uid ${uid}`);
  if (!words.length && peer) words.push(peer);
  if (bind) words.push(bind === "connection" ? "until it disconnects" : `bound to ${bind}`);
  return words.join(", ");
}

const named = (person) => make("bdi", { class: person.owner ? "who" : "who nobody" }, person.owner || "no name");
const how = (person) => (person.mode === "shared" ? "shared" : "exclusive") + (person.count > 1 ? ` × ${person.count}` : "");

function drawHolder(item, holder) {
  if (holder.state !== "held") return drawPast(item, holder);
  const button = make("button", { type: "button", class: "quiet", "aria-label": `Break the lease of ${holder.owner ?? holder.ref}` }, "Break…");
  button.dataset.ref = holder.ref;
  button.addEventListener("click", () => openBreak(item.lock.key, holder));
  const [bar, left] = [make("i"), make("span")];
  const meter = make("div", { class: "meter", "aria-hidden": "true" }, bar);
  const ends = holder.expires_at ? Date.parse(holder.expires_at) : null;
  item.ticking.push({ bar, meter, left, ends, total: holder.ttl_ms, since: Date.parse(holder.since), breaking: holder.breaking_in_ms });
  const text = make("div", { class: "soft" }, left, ` · ${how(holder)} · ${whereabouts(holder)}`);
  return make("div", { class: "person" }, named(holder), button, meter, text);
}

/** What was somebody's lease: its slots cool down, or nobody knows whether it has any. */
function drawPast(item, holder) {
  const left = make("span");
  if (holder.state === "cooling" && holder.expires_at) item.ticking.push({ left, coolsUntil: Date.parse(holder.expires_at) });
  const word = holder.state === "cooling" ? "cools down" : "in doubt: nobody knows whether it is taken";
  return make("div", { class: "person" }, make("span", { class: "who nobody" }, word),
    make("div", { class: "soft" }, left, ` · ${how(holder)} · last held by `, named(holder)));
}

/** Native programs that hold it. The kernel knows which process operated last, which most often is the holder. */
function drawNative({ native_held: units, sysv, kind }) {
  const much = units === null ? "" : kind === "rw" ? (units >= 16384 ? "exclusive · " : `shared × ${units} · `) : `× ${units} · `;
  const who = sysv?.pid ? `operated last: pid ${sysv.pid}` : "by a process out of sight";
  return make("div", { class: "person" }, make("span", { class: "who native" }, "native program"),
    make("div", { class: "soft" }, `${much}no lease, no deadline · ${who}`));
}

function drawWaiter(item, waiter) {
  const left = make("span");
  item.ticking.push({ left, waitsUntil: item.readAt + waiter.wait_left_ms, began: item.readAt - waiter.age_ms });
  const others = (waiter.locks ?? []).filter((key) => key !== item.lock.key);
  const wants = others.length ? [make("div", { class: "soft" }, "wants also ", ...names(others))] : [];
  const where = waiter.detached ? "its connection broke, its place is kept" : whereabouts(waiter);
  return make("li", {}, named(waiter), make("div", { class: "soft" }, left, ` · ${how(waiter)} · ${where}`), ...wants);
}

/** Moves the bars and the clocks of a row. */
function tick(item) {
  const now = Date.now();
  for (const entry of item.ticking || []) {
    if (entry.waitsUntil) {
      entry.left.textContent = `waits ${duration(now - entry.began)}, gives up in ${duration(entry.waitsUntil - now)}`;
      continue;
    }
    if (entry.coolsUntil) {
      entry.left.textContent = `free in ${duration(entry.coolsUntil - serviceNow())}`;
      if (entry.coolsUntil < serviceNow() - 500) item.wanted = true;
      continue;
    }
    const age = `held ${duration(serviceNow() - entry.since)}`;
    if (entry.ends === null) {
      entry.meter.className = "meter none";
      entry.left.textContent = `${age}, no deadline`;
      continue;
    }
    const left = entry.ends - serviceNow();
    const share = Math.max(0, Math.min(1, left / (entry.total || 1)));
    entry.bar.style.width = `${100 * share}%`;
    entry.meter.className = `meter${share < 0.1 ? " out" : share < 0.33 ? " low" : ""}`;
    const word = entry.breaking === undefined ? "left" : "until it is broken";
    entry.left.textContent = `${duration(left)} ${word}, ${age}`;
    if (left < -500) item.wanted = true;
  }
}
