// One lock: who holds it, who waits, what happened, how to end it. And one owner, with all that it holds.

const historyShown = 50;
const peopleShown = 100;
let lock = null; // what the page of a lock is about: { path, key, details, readAt, isWanted, drawn, history, ids }
let owner = null; // what the page of an owner is about: { name, leases, readAt, isWanted, drawn }

const clocks = new WeakMap(); // element to what it says now

/** Text that goes on. */
function clock(says) {
  const element = make("span", { class: "clock" }, says());
  clocks.set(element, says);
  return element;
}

function tickClocks(view) {
  for (const element of view.querySelectorAll(".clock")) {
    const says = clocks.get(element)();
    if (element.textContent !== says) element.textContent = says;
  }
}

/** The place of a peer, as far as it is known. */
function whereabouts({ pid, uid, peer, bind }, programs = {}) {
  const words = [];
  if (pid) words.push(programs[pid] ? `pid ${pid} ${programs[pid]}` : `pid ${pid}`);
  if (uid !== null && uid !== undefined) words.push(`uid ${uid}`);
  if (!words.length && peer) words.push(peer);
  if (bind) words.push(bind === "connection" ? "until it disconnects" : `bound to ${bind}`);
  return words.join(", ");
}

const how = (person) => (person.mode === "shared" ? "reads" : "alone") + (person.count > 1 ? `, ${person.count} slots` : "");
const has = (person) => (person.slots ? person.slots.join(", ") : person.count > 1 ? `${person.count} slots` : person.limit > 1 ? "1 slot" : how(person));

// The sentence.

const program = (details, pid) => (details.programs?.[pid] ? [" ", make("code", {}, details.programs[pid])] : []);

function someone(details, person) {
  const name = person.owner ? make("bdi", {}, person.owner) : "somebody without a name";
  const words = [name];
  if (person.pid) words.push(`, pid ${person.pid}`, ...program(details, person.pid));
  else if (!person.owner && person.peer) words.push(` at ${person.peer}`);
  return words;
}

function holding(details, readAt) {
  const held = details.holders.filter((holder) => holder.state === "held");
  if (held.length) {
    const first = held.reduce((a, b) => (Date.parse(a.since) <= Date.parse(b.since) ? a : b));
    const time = clock(() => duration(serviceNow() - Date.parse(first.since)));
    const native = isNative(details) ? ", and by a native program" : "";
    const verb = held.every((holder) => holder.mode === "shared") ? "read" : "held";
    if (details.held === 1) return [` is ${verb} by `, ...someone(details, first), ", for ", time, native];
    return [` is ${verb} by ${details.held}, the longest by `, ...someone(details, first), ", for ", time, native];
  }
  if (isNative(details)) {
    const { pid } = details.sysv ?? {};
    return [" is held by a native program", ...pid ? [`, pid ${pid}`, ...program(details, pid)] : []];
  }
  const stopping = details.holders.find(({ state }) => state === "stopping");
  if (stopping) {
    return [" goes on when the process of its last lease is gone", ...stopping.owner ? [": ", make("bdi", {}, stopping.owner)] : []];
  }
  const cooling = details.holders.find(({ state }) => state === "cooling" || state === "kept");
  if (cooling) {
    const time = clock(() => duration(Date.parse(cooling.expires_at) - serviceNow()));
    return [cooling.state === "kept" ? " is kept for " : " cools down for ", time, cooling.owner ? " after " : "", cooling.owner ? make("bdi", {}, cooling.owner) : ""];
  }
  if (details.suspects) return [" is in doubt: nobody knows whether it is taken"];
  if (details.limit === 0) return [" is paused: nothing is granted until it gets another limit"];
  if (details.queued_for.length) return [" is free, but the first who waits also waits for ", ...names(details.queued_for)];
  return [" is free"];
}

function sentence({ key, details, readAt }) {
  const words = [make("b", {}, make("bdi", {}, key))];
  if (!details) return [...words, " is not there now: nobody has taken it, or it was removed."];
  if (details.damaged) words.push(" is damaged: another program wrote its values, so nobody gets it");
  else words.push(...holding(details, readAt));
  const [first] = details.waiters;
  if (!details.waiting) return [...words, "; nobody waits."];
  const waited = first ? [clock(() => duration(Date.now() - readAt + first.age_ms))] : ["a moment"];
  return [...words, details.waiting === 1 ? "; one waits, for " : `; ${details.waiting} wait, the first for `, ...waited, "."];
}

// The parts.

async function readLock() {
  const mine = lock;
  mine.isWanted = false;
  mine.readAt = Date.now();
  const query = `${mine.path.includes("?") ? "&" : "?"}limit=${peopleShown}`;
  let details = null;
  try {
    details = await read(mine.path + query);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  if (lock !== mine) return;
  mine.readAt = Date.now();
  mine.details = details;
  drawLock();
}

/** Draws what changed: a button that is drawn anew between press and release of the mouse is not clicked. */
function drawLock() {
  const text = JSON.stringify(lock.details, (name, value) => (moving.has(name) ? undefined : value));
  if (lock.drawn === text) return;
  lock.drawn = text;
  const details = lock.details ?? { holders: [], waiters: [], held: 0, cooling: 0, waiting: 0, queued_for: [] };
  byId("lock-title").replaceChildren(make("bdi", {}, lock.key));
  byId("sentence").replaceChildren(...sentence(lock));
  byId("mend").replaceChildren(...mend(details));
  const focused = byId("holders").contains(document.activeElement) ? document.activeElement.dataset : null;
  const holders = details.holders.map((holder) => drawHolder(details, holder));
  const more = details.held + details.cooling - holders.length;
  if (more > 0) holders.push(make("p", { class: "soft" }, `and ${more} more`));
  if (lock.details && isNative(details)) holders.push(drawNative(details));
  byId("holders").replaceChildren(...holders.length ? holders : [make("p", { class: "empty" }, "Nobody.")]);
  byId("ending").hidden = details.held === 0;
  if (focused?.ref) {
    [...byId("holders").querySelectorAll("button")]
      .find(({ dataset }) => dataset.ref === focused.ref && dataset.after === focused.after)?.focus();
  }
  byId("queue").replaceChildren(...details.waiters.map((waiter, place) => drawWaiter(details, waiter, place + 1)));
  const left = details.waiting - details.waiters.length;
  byId("queue-more").textContent = left > 0 ? `and ${left} more` : details.waiting ? "" : "Nobody waits.";
  byId("queue").parentElement.hidden = details.waiters.length === 0;
  byId("facts").replaceChildren(...facts(details));
  drawCopies(details);
}

function mend(details) {
  if (!details.damaged) return [];
  return [make("section", { class: "card" }, make("h3", {}, "How to mend it"),
    make("p", {}, "Nothing is granted until it is put right. Look first who wrote to its semaphore, and end what still runs under the lock. Then remove it by force; the next acquire makes it anew. No other lock is touched."),
    copyLine(`curl -X DELETE ${quote(location.origin + lock.path.split("?")[0] + "?force=true")}`))];
}

function endButton(holder, after, words) {
  const button = make("button", { type: "button", class: after === "0" ? "danger" : "", "aria-label": `${words}: the lease of ${holder.owner ?? holder.ref}` }, words);
  Object.assign(button.dataset, { ref: holder.ref, after });
  button.addEventListener("click", () => endLeases([holder.ref], after, "reason", "end-error"));
  return button;
}

/** What is known of a holder by now: what moves is not drawn anew. */
const latest = (holder) => lock?.details?.holders.find(({ ref }) => ref === holder.ref) ?? holder;

function drawHolder(details, holder) {
  if (holder.state !== "held") return drawPast(holder);
  const ends = holder.expires_at ? Date.parse(holder.expires_at) : null;
  const bar = make("i");
  const share = () => Math.max(0, Math.min(1, (ends - serviceNow()) / (holder.ttl_ms || 1)));
  const left = clock(() => {
    const age = `held for ${duration(serviceNow() - Date.parse(holder.since))}`;
    if (ends === null) return `${age}, no deadline`;
    bar.style.width = `${100 * share()}%`;
    return `${age}, ${holder.breaking_in_ms === undefined ? "ends in" : "is ended in"} ${duration(ends - serviceNow())}`;
  });
  const cpu = holder.cpu_ms === undefined ? [] : [" · ", clock(() => `${duration(latest(holder).cpu_ms ?? 0)} of CPU`)];
  const asked = holder.yield ? [" · asked to yield to a newer request"] : [];
  const note = holder.note ? make("div", { class: "note" }, make("bdi", {}, holder.note)) : null;
  const breaking = holder.break_reason || holder.broken_by
    ? make("div", { class: "soft" }, `ended by ${holder.broken_by ?? "an operator"}${holder.break_reason ? `: ${holder.break_reason}` : ""}`) : null;
  return make("div", { class: "person" }, make("div", {}, named(holder), " ", make("span", { class: "soft" }, `${how(holder)} · ${whereabouts(holder, details.programs)}`)),
    make("div", { class: "buttons" }, endButton(holder, "0", "End now"), endButton(holder, "30s", "End in 30 s")),
    make("div", { class: `meter${ends === null ? " none" : ""}`, "aria-hidden": "true" }, bar),
    make("div", { class: "soft" }, left, ...cpu, ...asked, ` · fence ${holder.fence} · ref `, make("code", {}, holder.ref)), note, breaking);
}

/** A lease without a holder: its slots cool down, or nobody knows whether it has any. */
function drawPast(holder) {
  const word = { cooling: "cools down", kept: "kept, as it was to be held so long", stopping: "until its process is gone" }[holder.state];
  const left = word && holder.expires_at ? [clock(() => `free in ${duration(Date.parse(holder.expires_at) - serviceNow())}`), " · "] : [];
  return make("div", { class: "person" },
    make("span", { class: "who nobody" }, word ?? "in doubt: nobody knows whether it is taken"),
    make("div", { class: "soft" }, ...left, `${how(holder)} · last held by `, named(holder)));
}

/** Native programs that hold it. The kernel knows which process operated last, which most often is the holder. */
function drawNative(details) {
  const { native_held: units, sysv, kind, programs } = details;
  const much = units === null ? "" : kind === "rw" ? (units >= 16384 ? "alone · " : `reads, ${units} times · `) : `${units} ${units === 1 ? "slot" : "slots"} · `;
  const who = sysv?.pid ? `operated last: ${whereabouts(sysv, programs)}` : "by a process out of sight";
  return make("div", { class: "person" }, make("span", { class: "who native" }, "native program"),
    make("div", { class: "soft" }, `${much}no lease to end, no deadline · ${who}`));
}

function drawWaiter(details, waiter, number) {
  const began = lock.readAt - waiter.age_ms;
  const gives = lock.readAt + waiter.wait_left_ms;
  const others = (waiter.locks ?? []).filter((key) => key !== lock.key);
  const where = waiter.detached ? "its connection broke, its place is kept" : whereabouts(waiter, details.programs);
  return make("tr", {}, make("td", { class: "figure" }, `${number}`),
    make("td", {}, named(waiter), " ", make("span", { class: "soft" }, where)), make("td", {}, how(waiter)),
    make("td", { class: "figure" }, clock(() => duration(Date.now() - began))),
    make("td", { class: "figure" }, clock(() => duration(gives - Date.now()))),
    make("td", {}, ...others.length ? names(others) : ["–"]));
}

function facts(details) {
  if (!lock.details) return [];
  const { kind, limit, available, fence, suspects, sysv, native_held: native } = details;
  const slots = kind === "rw" ? "readers and writer: many read, or one writes" : limit === 1 ? "one at a time"
    : limit === 0 ? "paused: nothing is granted until it gets another limit"
    : limit === null ? `${available ?? "?"} slots are free` : `${limit - (available ?? limit)} of ${limit} slots are taken`;
  const pairs = [["Use", slots], ["Last fence", fence ?? "none yet"]];
  if (details.slots) pairs.push(["Free slots", details.free_slots.join(", ") || "none"]);
  if (suspects) pairs.push(["In doubt", suspects]);
  if (sysv) {
    const [number, companion] = sysv.semaphores;
    const which = companion === undefined ? `number ${number}` : `numbers ${number} and ${companion}`;
    pairs.push(["Semaphore", `${which} of ${sysv.nsems} in set ${hex(sysv.key)}, id ${sysv.id}; its value is ${sysv.value ?? "unknown"}`]);
    if (sysv.pid) pairs.push(["Changed last by", whereabouts({ pid: sysv.pid }, details.programs)]);
    if (sysv.ncnt) pairs.push(["Sleep on it in the kernel", sysv.ncnt]);
  }
  pairs.push(["Native programs", isNative(details) ? (native === null ? "hold it" : `hold ${native}`) : "hold nothing"]);
  return pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, `${value}`)));
}

// Lines to copy.

/** A word for a shell; what does not show is there by its number. */
function quote(word) {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (visible(word) === word) return `'${word.replaceAll("'", "'\\''")}'`;
  const escaped = word.replace(/[\\']/g, "\\$&").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu,
    (mark) => `\\U${mark.codePointAt(0).toString(16).padStart(8, "0")}`);
  return `$'${escaped}'`;
}

function copyLine(text) {
  const code = make("code", {}, text);
  const button = make("button", { type: "button", class: "quiet", "aria-label": `Copy ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected";
    }
  });
  return make("div", { class: "copy" }, code, button);
}

function drawCopies(details) {
  const name = quote(lock.key);
  const lines = [`curl ${quote(location.origin + lock.path)}`];
  if (!lock.path.includes("?")) lines.unshift(`leasehold locks ${name}`);
  for (const { ref } of details.holders.filter((holder) => holder.state === "held").slice(0, 3)) {
    lines.push(`leasehold break ${ref} --reason why`);
  }
  if (!lock.path.includes("?")) lines.push(`leasehold run ${name} -- command`);
  const text = lines.join("\n");
  if (byId("copies").dataset.drawn === text) return;
  byId("copies").dataset.drawn = text;
  byId("copies").replaceChildren(...lines.map(copyLine));
}

// Its events.

async function readHistory() {
  const mine = lock;
  const answer = await checked(await fetch(`/events?key=${encodeURIComponent(mine.key)}&since=oldest&wait=0`,
    { headers: headers({ Accept: "text/event-stream" }), signal: AbortSignal.timeout(15000) }));
  for (const frame of (await answer.text()).split("\n\n")) deliver(frame, (id, kind, event) => remember(mine, id, kind, event));
  drawHistory();
}

function remember(mine, id, kind, event) {
  if (!event || event.key !== mine.key || kind === "renewed" || mine.ids.has(id)) return;
  mine.ids.add(id);
  mine.history.push({ kind, event, at: Date.parse(event.at) });
}

function drawHistory() {
  if (!lock) return;
  lock.history.sort((a, b) => b.at - a.at || b.event.seq - a.event.seq).splice(historyShown * 4);
  const lines = lock.history.slice(0, historyShown);
  byId("history").replaceChildren(...lines.map((line) => eventLine(line, false)));
  byId("no-history").hidden = lines.length > 0;
}

// An owner.

async function readOwner() {
  const mine = owner;
  mine.isWanted = false;
  mine.readAt = Date.now();
  const { entries } = await readAll(`/leases?limit=1000&owner=${encodeURIComponent(mine.name)}`, "leases");
  if (owner !== mine) return;
  mine.readAt = Date.now();
  mine.leases = entries;
  drawOwner();
}

function drawOwner() {
  const text = JSON.stringify(owner.leases, (name, value) => (moving.has(name) ? undefined : value));
  if (owner.drawn === text) return;
  owner.drawn = text;
  const count = owner.leases.length;
  byId("owner-title").replaceChildren(make("bdi", {}, owner.name));
  byId("owner-sentence").replaceChildren(make("b", {}, make("bdi", {}, owner.name)),
    count === 0 ? " holds nothing now." : ` holds ${count} ${count === 1 ? "lease" : "leases"}.`);
  byId("end-all").textContent = endAllWords();
  byId("end-all").hidden = byId("all-reason").parentElement.hidden = count === 0;
  byId("leases").parentElement.hidden = count === 0;
  byId("leases").replaceChildren(...owner.leases.map(drawLease));
}

const endAllWords = (isSure = false) =>
  `${isSure ? "Really end" : "End"} ${owner.leases.length === 1 ? "this lease" : `all ${owner.leases.length} leases`}${isSure ? "?" : ""}`;

function drawLease(lease) {
  const keys = lease.locks ?? [lease.key];
  const note = lease.note ? [" ", make("span", { class: "soft" }, make("bdi", {}, lease.note))] : [];
  const links = keys.flatMap((key, place) => [place ? ", " : "", linkTo(key)]);
  const ends = lease.expires_at ? clock(() => duration(Date.parse(lease.expires_at) - serviceNow())) : "no deadline";
  return make("tr", {}, make("td", {}, ...links, ...note), make("td", {}, has(lease)),
    make("td", { class: "figure" }, clock(() => duration(serviceNow() - Date.parse(lease.since)))),
    make("td", { class: "figure" }, ends), make("td", {}, make("code", {}, lease.ref)));
}

/** All of them end only with the second press: one slip would stop a host's work. */
function endAll() {
  const button = byId("end-all");
  if (button.dataset.sure !== "true") {
    button.dataset.sure = "true";
    button.textContent = endAllWords(true);
    return;
  }
  button.dataset.sure = "";
  endLeases(owner.leases.map(({ ref }) => ref), "0", "all-reason", "all-error");
}

// To end leases.

let again = null; // what is done with the token of an admin

/** Ends leases one after the other; the first refusal ends it, and one for the role asks for another token. */
async function endLeases(refs, after, reasonField, errorPlace, givenToken = "") {
  const reason = byId(reasonField).value;
  const left = [...refs];
  byId(errorPlace).textContent = byId("admin-error").textContent = "";
  try {
    while (left.length) {
      try {
        await breakLease(left[0], { after, ...reason ? { reason } : {} }, givenToken);
      } catch (error) {
        if (error.status !== 404 && error.status !== 410) throw error;
        if (refs.length === 1) throw error; // of many, those that are over meanwhile are ended
      }
      left.shift();
    }
    byId("admin-dialog").close();
  } catch (error) {
    const isRole = error.status === 401 || error.status === 403;
    byId(isRole ? "admin-error" : errorPlace).textContent = error instanceof Refusal ? error.message : "The service does not answer; look whether the lease is still there.";
    if (isRole) {
      again = (token) => endLeases(left, after, reasonField, errorPlace, token);
      if (!byId("admin-dialog").open) byId("admin-dialog").showModal();
    } else {
      byId("admin-dialog").close();
    }
  }
  if (lock) lock.isWanted = true;
  if (owner) owner.isWanted = true;
  if (owner) byId("end-all").textContent = endAllWords();
  listIsOld = true;
}

function submitAdmin(event) {
  event.preventDefault();
  const token = byId("admin-token").value.trim();
  byId("admin-token").value = "";
  again?.(token);
}
