// What is read when: the list after events, at most once a second; rows that are seen, a few a second.

const perSecond = 6;
const burst = 24;
let budget = burst;
let listIsOld = true;
let eventsAreNew = true;
let listReadAt = 0;
let kernelReadAt = 0;
let isConnected = false;
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

async function readList() {
  listIsOld = false;
  listReadAt = Date.now();
  const isRead = await tries(async () => takeLocks(await read("/locks?limit=1000")));
  if (isRead && isConnected) say("Live", true);
}

async function readDetails(item) {
  item.wanted = false;
  item.isReading = true;
  try {
    const details = await read(address(item.lock));
    item.readAt = Date.now();
    item.details = details;
    drawPeople(item);
  } catch (error) {
    item.readAt = Date.now();
    if (error.status === 404) listIsOld = true;
  }
  item.isReading = false;
}

/** What is seen is read again when it may have changed, and now and then. */
function readSeen() {
  const now = Date.now();
  for (const item of known.values()) {
    if (budget < 1) return;
    if (!item.row?.isConnected || !item.isVisible || item.isReading) continue;
    const isIdle = !item.lock.held && !item.lock.cooling && !item.lock.waiting && !item.details?.held && !isNative(item.lock);
    const age = now - item.readAt;
    if ((item.wanted && age > 400) || age > (isIdle ? 30000 : 8000)) {
      budget -= 1;
      readDetails(item);
    }
  }
}

function gotEvent(id, kind, event) {
  if (id) lastEvent = id;
  if (!event) return;
  takeEvent(kind, event);
  eventsAreNew = true;
  wake(event.key);
  if (kind !== "renewed") listIsOld = true;
}

/** Goes on where it was cut, with a longer pause each time it fails. */
async function followForever() {
  following.abort();
  const mine = following = new AbortController();
  for (let pause = 1000; !mine.signal.aborted; pause = Math.min(15000, pause * 2)) {
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

function turn() {
  if (document.hidden) return;
  const now = Date.now();
  budget = Math.min(burst, budget + perSecond / 4);
  const pause = known.size > 200 ? 2500 : 1000;
  if ((listIsOld && now - listReadAt > pause) || now - listReadAt > 10000) readList();
  if (now - kernelReadAt > 10000) {
    kernelReadAt = now;
    tries(readKernel);
  }
  readSeen();
  for (const item of known.values()) if (item.isVisible && item.details) tick(item);
  if (eventsAreNew) {
    eventsAreNew = false;
    drawEvents();
    drawPlot();
  }
}

function openBreak(key, holder) {
  const dialog = byId("break-dialog");
  dialog.dataset.key = key;
  dialog.dataset.ref = holder.ref;
  byId("break-ref").textContent = holder.ref;
  byId("break-owner").textContent = visible(holder.owner ?? "a holder without a name");
  byId("break-key").textContent = visible(key);
  for (const id of ["break-name", "break-reason", "break-token"]) byId(id).value = "";
  byId("break-after").value = "0";
  byId("break-error").textContent = "";
  byId("break-submit").disabled = true;
  dialog.showModal();
  byId("break-name").focus();
}

/** Whether that is the lock's name, or what is shown of it. */
function namesLock(text) {
  const { key } = byId("break-dialog").dataset;
  return text === key || text === visible(key);
}

async function submitBreak(event) {
  event.preventDefault();
  const dialog = byId("break-dialog");
  if (!namesLock(byId("break-name").value)) return;
  const words = { after: byId("break-after").value };
  if (byId("break-reason").value) words.reason = byId("break-reason").value;
  byId("break-submit").disabled = true;
  byId("break-error").textContent = "";
  try {
    await breakLease(dialog.dataset.ref, words, byId("break-token").value);
    dialog.close();
    listIsOld = true;
    wake(dialog.dataset.key);
  } catch (error) {
    byId("break-error").textContent = error.message;
    byId("break-submit").disabled = false;
  }
  byId("break-token").value = "";
}

function submitToken(event) {
  event.preventDefault();
  token = byId("token").value.trim();
  mayAsk = true;
  byId("token").value = "";
  byId("token-dialog").close();
  listIsOld = true;
  kernelReadAt = listReadAt = 0;
  followForever();
}

function begin() {
  byId("live").hidden = false;
  byId("open-token").hidden = false;
  byId("where").textContent = location.host;
  say("Connecting", false);
  byId("open-token").addEventListener("click", () => byId("token-dialog").showModal());
  byId("token-dialog").querySelector("form").addEventListener("submit", submitToken);
  byId("break-dialog").querySelector("form").addEventListener("submit", submitBreak);
  byId("break-name").addEventListener("input", () => {
    byId("break-submit").disabled = !namesLock(byId("break-name").value);
  });
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("filter").addEventListener("input", drawLocks);
  byId("show").addEventListener("change", drawLocks);
  byId("more-button").addEventListener("click", () => {
    showsAll = true;
    drawLocks();
  });
  setInterval(turn, 250);
  setInterval(drawPlot, 5000);
  drawPlot();
  followForever();
}

begin();
