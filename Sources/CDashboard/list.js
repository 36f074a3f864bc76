// The table of locks: two lists are read as a whole, the locks and the leases on them. What is asked for is in the URL.

const firstRows = 50;
const known = new Map(); // address to { lock, holders, readAt, row, cells }
let showsAll = false;
let isCut = false;
let isPointed = false; // while the pointer is over the rows, none of them moves
let lastOpened = null; // the row that gets the focus back

/** Where a lock is read. Some names say only with the numbers of their semaphores which lock is meant. */
function address({ key, dialect, sysv }) {
  const words = new URLSearchParams();
  if (dialect === "apache") {
    const [reader, writer] = sysv.semaphores;
    words.set("semaphore_key", sysv.key);
    words.set("nsems", 2 * (writer - reader));
  } else if (dialect === "path") {
    words.set("project", (sysv.key >>> 24) & 0xff);
    words.set("sem", sysv.semaphores[0]);
  }
  const query = words.toString();
  return `/locks/${encodeURIComponent(key)}${query ? `?${query}` : ""}`;
}

/** A link by a lock's name alone. Locks may share a name: then the list shows them all. */
function linkTo(key) {
  const [lock, ...more] = [...known.values()].map((item) => item.lock).filter((lock) => lock.key === key);
  const href = more.length ? `/?${new URLSearchParams({ q: key })}` : `/ui${lock ? address(lock) : `/locks/${encodeURIComponent(key)}`}`;
  return make("a", { href, "data-go": "" }, make("bdi", {}, key));
}

const ownersPage = (owner) => `/ui/owners/${encodeURIComponent(owner)}`;

/** Whether native programs hold some of it. Of sets that others made the service may not know how much there is; but
 * what is taken and on no lease is theirs. */
function isNative(lock) {
  if (lock.native_held !== null) return lock.native_held > 0;
  return lock.available === 0 && lock.held === 0;
}

async function readList() {
  const [locks, leases] = await Promise.all([readAll("/locks?limit=1000", "locks"), readAll("/leases?limit=1000", "leases")]);
  const holders = new Map();
  for (const lease of leases.entries) {
    for (const key of lease.locks ?? [lease.key]) holders.set(key, [...(holders.get(key) ?? []), lease]);
  }
  const names = new Map();
  for (const { key } of locks.entries) names.set(key, (names.get(key) ?? 0) + 1);
  // The list of leases tells the name alone: locks that share one are read each for itself.
  const alone = locks.entries.filter(({ key, held }) => held && names.get(key) > 1).slice(0, 20);
  const details = await Promise.all(alone.map((lock) => read(address(lock)).catch(() => null)));
  const own = new Map(alone.map((lock, place) => [address(lock), details[place]?.holders ?? []]));
  takeLocks(locks, (lock) => own.get(address(lock)) ?? holders.get(lock.key) ?? []);
}

/** Takes a new list; locks keep their rows. */
function takeLocks(list, holdersOf) {
  isCut = list.isCut;
  const readAt = Date.now();
  const seen = new Set();
  for (const lock of list.entries) {
    const place = address(lock);
    seen.add(place);
    const item = known.get(place) ?? {};
    Object.assign(item, { lock, holders: lock.held ? holdersOf(lock) : [], readAt });
    item.since = item.holders.length ? Math.min(...item.holders.map((holder) => Date.parse(holder.since))) : null;
    known.set(place, item);
  }
  for (const place of known.keys()) if (!seen.has(place)) known.delete(place);
  drawList();
}

// What is asked for.

/** A pattern matches the whole of a text when it has a star, else a part of it. */
function matches(pattern, text) {
  if (!pattern.includes("*")) return text.toLowerCase().includes(pattern.toLowerCase());
  const parts = pattern.toLowerCase().split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "su").test(text.toLowerCase());
}

const states = {
  waited: ({ waiting }) => waiting > 0, held: (lock) => lock.held > 0 || isNative(lock),
  free: (lock) => !lock.held && !lock.cooling && !isNative(lock), cooling: ({ cooling }) => cooling > 0,
  damaged: ({ damaged }) => damaged, native: isNative,
};

const byName = (a, b) => (a.lock.key < b.lock.key ? -1 : a.lock.key > b.lock.key ? 1 : 0);
const byAge = (a, b) => (a.since ?? Infinity) - (b.since ?? Infinity) || 0;
const byWaiters = (a, b) => b.lock.waiting - a.lock.waiting;
const byWait = (a, b) => (b.lock.longest_wait_ms ?? -1) - (a.lock.longest_wait_ms ?? -1);
const orders = {
  wait: [byWait, byWaiters, byAge, byName], waiters: [byWaiters, byWait, byAge, byName],
  age: [byAge, byWait, byWaiters, byName], name: [byName],
};

/** What the URL asks for; what it does not know is as if it were not there. */
function asked() {
  const words = new URLSearchParams(location.search);
  const sort = Object.hasOwn(orders, words.get("sort") ?? "") ? words.get("sort") : "wait";
  const state = Object.hasOwn(states, words.get("state") ?? "") ? words.get("state") : "";
  return { sort, state, q: words.get("q") ?? "", owner: words.get("owner") ?? "" };
}

/** Puts into the URL what is asked for, without the rest. */
function ask(changes) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...asked(), ...changes })) {
    if (value && !(name === "sort" && value === "wait")) words.set(name, value);
  }
  const query = words.toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  drawList(true);
}

function chosen({ sort, state, q, owner }) {
  const compare = (a, b) => orders[sort].reduce((result, order) => result || order(a, b), 0);
  return [...known.values()].filter(({ lock, holders }) =>
    (!state || states[state](lock)) && (!q || matches(q, lock.key) || matches(q, visible(lock.key)))
    && (!owner || holders.some((holder) => holder.owner && matches(owner, holder.owner)))).sort(compare);
}

// What is drawn.

/** How many rows must move, come or go to be in this order: all but the longest part that is in it. */
function outOfOrder(rows, wanted) {
  const places = new Map(wanted.map((row, place) => [row, place]));
  const ends = [];
  for (const row of rows) {
    const place = places.get(row);
    if (place === undefined) continue;
    const at = ends.findIndex((end) => end > place);
    ends[at < 0 ? ends.length : at] = place;
  }
  return Math.max(rows.length, wanted.length) - ends.length;
}

function drawList(isAskedFor = false) {
  const wishes = asked();
  const items = chosen(wishes);
  const shown = showsAll ? items : items.slice(0, firstRows);
  for (const item of shown) if (!item.row) makeRow(item);
  const body = byId("rows");
  const [rows, wanted] = [[...body.children], shown.map((item) => item.row)];
  const changed = outOfOrder(rows, wanted);
  const isKept = isPointed && !isAskedFor && rows.length > 0;
  byId("resort").hidden = !isKept || !changed;
  byId("resort").textContent = `${changed} changed: sort`;
  if (!isKept) place(body, rows, wanted);
  for (const item of known.values()) if (item.row?.isConnected) drawRow(item);
  const rowsKnown = new Set([...known.values()].map((item) => item.row));
  for (const row of body.children) row.classList.toggle("gone", !rowsKnown.has(row));
  drawAround(wishes, items, shown);
}

/** Puts the rows into their order; who had the focus keeps it. */
function place(body, rows, wanted) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  if (rows.length !== wanted.length || rows.some((row, index) => row !== wanted[index])) body.replaceChildren(...wanted);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function drawAround({ sort, state, q, owner }, items, shown) {
  for (const [id, value] of [["search", q], ["owner", owner], ["show", state]]) {
    if (byId(id) !== document.activeElement) byId(id).value = value;
  }
  for (const button of document.querySelectorAll("[data-sort]")) {
    const isIt = button.dataset.sort === sort;
    button.parentElement.setAttribute("aria-sort", isIt ? (sort === "name" ? "ascending" : "descending") : "none");
  }
  const empty = byId("empty");
  empty.hidden = items.length > 0;
  empty.textContent = known.size ? "No lock is like that." : "No locks now: a lock appears with its first acquire.";
  byId("rows").parentElement.hidden = items.length === 0;
  byId("more").hidden = shown.length === items.length && !isCut;
  byId("more-button").hidden = shown.length === items.length;
  byId("more-text").textContent = `${shown.length} of ${items.length}${isCut ? " or more" : ""} locks are shown.`;
  const locks = [...known.values()].map((item) => item.lock);
  const sum = (member) => locks.reduce((total, lock) => total + (lock[member] || 0), 0);
  byId("count-locks").textContent = `${locks.length}${isCut ? "+" : ""}`;
  byId("count-leases").textContent = sum("held");
  byId("count-waiters").textContent = sum("waiting");
  byId("count-native").textContent = locks.filter(isNative).length;
}

function makeRow(item) {
  const link = make("a", { href: `/ui${address(item.lock)}`, "data-go": "", class: "name" }, cut(item.lock.key));
  item.cells = [make("th", { scope: "row", role: "rowheader" }, link)];
  for (let index = 0; index < 5; index++) item.cells.push(make("td", { role: "cell" }));
  item.cells[3].className = item.cells[4].className = item.cells[5].className = "figure";
  item.row = make("tr", { role: "row" }, ...item.cells);
  item.row.dataset.key = item.lock.key;
  item.row.dataset.address = address(item.lock);
}

/** Draws what changed: a link that is drawn anew between press and release of the mouse is not clicked. */
function drawRow(item) {
  const { lock, holders, cells } = item;
  const text = JSON.stringify([lock, holders.map(({ ref, owner, mode, note }) => [ref, owner, mode, note])],
    (name, value) => (moving.has(name) ? undefined : value));
  if (item.drawn !== text) {
    item.drawn = text;
    const [style, word] = state(lock);
    cells[1].replaceChildren(make("span", { class: `tag ${style}` }, word), " ", make("span", { class: "soft" }, ...use(lock, holders)));
    cells[2].replaceChildren(...holdersInBrief(lock, holders));
    cells[4].textContent = lock.waiting || "–";
  }
  tickRow(item);
}

/** The clocks of a row. */
function tickRow({ lock, since, readAt, cells }) {
  const held = since === null ? "–" : duration(serviceNow() - since);
  const waits = lock.waiting ? duration(lock.longest_wait_ms + Date.now() - readAt) : "–";
  if (cells[3].textContent !== held) cells[3].textContent = held;
  if (cells[5].textContent !== waits) cells[5].textContent = waits;
}

/** The state of a lock, as a class of the tag and a word. */
function state(lock) {
  if (lock.damaged) return ["lost", "damaged"];
  if (lock.waiting) return ["wait", "waited for"];
  if (lock.held || isNative(lock)) return ["held", "held"];
  return lock.cooling ? ["wait", "cools down"] : ["free", "free"];
}

/** How a lock is used, in a few words. */
function use(lock, holders) {
  if (lock.damaged) return [make("a", { href: `/ui${address(lock)}`, "data-go": "", tabindex: "-1" }, "how to mend")];
  if (lock.queued_for.length) return ["free, but the first also waits for ", ...names(lock.queued_for)];
  if (lock.suspects) return [`${lock.suspects} in doubt`];
  if (lock.limit === 0) return ["paused"];
  if (lock.limit !== null && lock.limit !== 1) return [`${lock.limit - (lock.available ?? lock.limit)} of ${lock.limit} slots`];
  if (holders.some((holder) => holder.mode === "shared")) return [holders.length === 1 ? "1 reader" : `${holders.length} readers`];
  return lock.held || lock.limit === 1 ? ["one at a time"] : [];
}

/** Names of locks with commas between them. */
function names(keys) {
  return keys.flatMap((key, place) => [place ? ", " : "", make("bdi", {}, key)]);
}

function holdersInBrief(lock, holders) {
  const parts = holders.slice(0, 1).map((holder) => named(holder));
  const more = lock.held - parts.length;
  if (more > 0) parts.push(make("span", { class: "soft" }, parts.length ? ` +${more}` : `${more}`));
  if (isNative(lock)) {
    const pid = lock.sysv?.pid ? `, pid ${lock.sysv.pid}` : "";
    parts.push(make("span", { class: "who native" }, `${parts.length ? " + " : ""}native program${pid}`));
  }
  return [make("div", { class: "brief" }, ...parts.length ? parts : ["–"])];
}

/** The owner's name, which leads to all that it holds; or the place of the peer. */
function named(person) {
  if (!person.owner) return make("bdi", { class: "who nobody" }, whereabouts(person) || "no name");
  return make("a", { href: ownersPage(person.owner), "data-go": "", tabindex: "-1", class: "who" }, cut(person.owner));
}

const moving = new Set(["cpu_ms", "age_ms", "wait_left_ms", "expires_in_ms", "longest_wait_ms", "breaking_in_ms"]); // what differs in each answer about the same
