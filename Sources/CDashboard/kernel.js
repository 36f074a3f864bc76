// The host's raw sets and segments against the limits of its kernel, and PHP's variables in them.

const hex = (key) => `0x${(key >>> 0).toString(16).padStart(8, "0")}`;
const many = (number) => Number(number).toLocaleString("en-US").replaceAll(",", " ");
const unlimited = 2 ** 53;

function bytes(count) {
  if (count < 1024) return `${count} B`;
  const power = Math.min(4, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function limitLine(name, used, maximum, setting) {
  if (maximum === null || maximum === undefined || maximum > unlimited) {
    return make("div", { class: "limit" }, make("span", {}, `${name} (${setting})`), make("span", {}, `${many(used)}, no limit`));
  }
  const share = maximum ? used / maximum : 1;
  const bar = make("i");
  bar.style.width = `${Math.min(100, Math.max(used ? 1 : 0, 100 * share))}%`;
  const level = share > 0.9 ? " out" : share > 0.7 ? " low" : "";
  return make("div", { class: "limit" }, make("span", {}, `${name} (${setting})`),
    make("span", {}, `${many(used)} of ${many(maximum)}`),
    make("div", { class: `meter${level}`, "aria-hidden": "true" }, bar));
}

const ownership = ({ uid, mode }) => `uid ${uid}, ${mode}`;
const users = ({ held, waiting }) => [held ? `${held} ${held === 1 ? "lease" : "leases"}` : "", waiting ? `${waiting} waiting` : ""].filter(Boolean).join(", ");
const line = (key, ...cells) => make("tr", {}, make("th", { scope: "row", class: "number" }, key),
  ...cells.map((cell) => make("td", {}, cell)));

async function readKernel() {
  const [sets, segments] = await Promise.all([read("/semaphores?limit=200"), read("/segments?limit=200")]);
  byId("set-limits").replaceChildren(limitLine("Sets", sets.used.sets, sets.limits.semmni, "semmni"),
    limitLine("Semaphores", sets.used.semaphores, sets.limits.semmns, "semmns"));
  byId("sets").replaceChildren(...sets.semaphores.map((set) => {
    const ours = set.leasehold;
    const use = !ours ? users(set) : ours.role === "control" ? "Leasehold: guard" : `Leasehold: ${ours.locks} ${ours.locks === 1 ? "lock" : "locks"}`;
    return line(hex(set.key), `${set.id}`, ownership(set), `${set.nsems}`, use);
  }));
  byId("segment-limits").replaceChildren(
    limitLine("Segments", segments.used.segments, segments.limits.shmmni, "shmmni"),
    limitLine("Pages", segments.used.pages, segments.limits.shmall, "shmall"));
  drawSegments(segments.segments);
  if (await findVariables(segments.segments)) drawSegments(segments.segments);
}

function drawSegments(segments) {
  byId("segments").replaceChildren(...segments.map((segment) => {
    let use = segment.nattch ? `${segment.nattch} attached` : "";
    if (segment.leasehold) use = "Leasehold: ledger";
    if (looks.get(life(segment))?.isVariables) use = variablesButton(segment);
    return line(hex(segment.key), `${segment.id}`, ownership(segment), bytes(segment.size_bytes), use);
  }));
}

// The list does not tell which segments are PHP's: that takes a look into each. What is PHP's stays so; what is not
// may become so, and gets another look after a while.
const looks = new Map(); // life to { isVariables, at }
const looksAtOnce = 12;
const lookAgain = 60000;
const life = ({ id, ctime_seconds: born }) => `${id} ${born}`;

/** Looks into segments that are new, a few at once; whether that changed anything. */
async function findVariables(segments) {
  const lives = new Set(segments.map(life));
  for (const known of looks.keys()) if (!lives.has(known)) looks.delete(known);
  const now = Date.now();
  const fresh = segments.filter((segment) => {
    const look = looks.get(life(segment));
    return !segment.leasehold && (!look || (!look.isVariables && now - look.at > lookAgain));
  });
  const found = await Promise.all(fresh.slice(0, looksAtOnce).map(async (segment) => {
    // One that we may not read, or that is gone, has nothing to show.
    const details = await read(`/segments/id:${segment.id}`).catch(() => null);
    looks.set(life(segment), { isVariables: Boolean(details?.word_bits), at: now });
    return Boolean(details?.word_bits);
  }));
  return found.includes(true);
}

/** A read of variables takes the segment's lock for a moment, so it waits to be asked for. */
function variablesButton({ key, id }) {
  const name = key ? hex(key) : `id ${id}`;
  const button = make("button", { type: "button", class: "quiet", "aria-label": `Variables of ${name}` }, "Variables");
  button.addEventListener("click", () => showVariables(name, id));
  return button;
}

async function showVariables(key, id) {
  const place = byId("variables");
  try {
    const list = await read(`/shm?segment=id:${id}`);
    const rows = list.variables.map((variable) =>
      line(`${variable.key}`, variable.type ?? "?", bytes(variable.length_bytes)));
    const caption = `Variables in ${key}: ${list.count}, ${bytes(list.used_bytes)} of ${bytes(list.size_bytes)} used`;
    place.replaceChildren(make("table", { class: "plain" }, make("caption", { tabindex: "-1" }, caption),
      make("thead", {}, make("tr", {}, ...["Key", "Type", "Size"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...rows)));
    place.querySelector("caption").focus();
  } catch (error) {
    place.replaceChildren(make("p", { class: "error", role: "alert" }, error.message));
  }
}
