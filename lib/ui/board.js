// All cards of the board. Called again with every new data; keeps elements by key and touches
// only what changed, so focus, selection, scroll and open parts stay. Text from sessions is only
// ever set as textContent.
const UNDO_MS = 10000;
const RESEND_MS = 3000;
// The page has one board. Streamlit may drop its elements and make new ones at any moment: what is
// open, clicked and under way must outlive that.
let board = null;

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const place = parentElement.querySelector(".board");
  if (!place) return;
  board ??= new Board(place);
  if (place !== board.root) board.moveTo(place);
  board.start();
  board.setStateValue = setStateValue;
  board.setTriggerValue = setTriggerValue;
  board.update(new TextDecoder().decode(data));
  return () => {
    if (parentElement.contains(board.root)) board.stop();
  };
}

class Board {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.root = root;
    this.totalsElement = find(".totals");
    this.strip = find(".strip");
    this.sectionsElement = find(".sections");
    this.undo = find(".undo");
    this.spoken = find(".spoken");
    this.cards = new Map();
    this.sections = new Map();
    this.chips = new Map();
    this.totals = new Map();
    this.saying = [];
    this.outbox = [];
    this.session = null; // the viewer's session at the server, to which clicks are sent
    this.sequence = 0;
    this.gone = new Map(); // dismissed here and not yet acknowledged: id to its section and number
    this.undoable = [];
    this.first = true;
    this.control = new Control(this, find(".confirm"));
    this.root.onkeydown = (event) => this.pressed(event);
    this.root.onclick = (event) => this.clicked(event);
    this.root.addEventListener("focusin", (event) => (this.focused = event.target));
    this.root.addEventListener("focusout", () => setTimeout(() => this.lostFocus()));
    this.seen = () => this.tick();
  }

  // Into the place of an empty board, with all that it shows.
  moveTo(place) {
    this.control.close();
    place.replaceWith(this.root);
    this.first = true;
    this.drawn = null;
    if (document.activeElement === document.body) this.focused?.focus({ preventScroll: true });
  }

  // Elements that are taken out of the page lose the focus too, but nobody took it from them.
  lostFocus() {
    if (this.root.isConnected && !this.root.matches(":focus-within")) this.focused = null;
  }

  start() {
    if (this.timer) return;
    document.addEventListener("visibilitychange", this.seen);
    this.timer = setInterval(() => this.tick(), 1000);
    if (this.undoable.length) this.endUndoIn(UNDO_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    clearTimeout(this.undoTimer);
    document.removeEventListener("visibilitychange", this.seen);
    this.beat(0);
  }

  // A line of what is this viewer's own, and one of what there is to see, in JSON.
  update(text) {
    const [own, shown] = text.split("\n");
    const { ack, beatMs, session } = JSON.parse(own);
    this.sequence = Math.max(this.sequence, ack);
    this.outbox = this.outbox.filter((item) => item.n > ack);
    for (const [id, gone] of this.gone) if (gone.n <= ack) this.gone.delete(id);
    this.control.acknowledge(ack);
    if (session !== this.session) this.sendAgainTo(session);
    this.beat(beatMs);
    if (text !== this.drawn) this.draw(JSON.parse(shown));
    this.drawn = text;
    this.tick();
  }

  draw(data) {
    this.drawTotals(data.totals);
    this.drawStrip(data.waiting, data.waitingHidden);
    this.drawSections(data.sections);
    this.first = false;
  }

  // A worker's timer is not throttled in a hidden tab, as the page's own are.
  beat(milliseconds) {
    if (milliseconds === this.beatMs) return;
    this.beatMs = milliseconds;
    this.worker?.terminate();
    this.worker = null;
    if (!milliseconds) return;
    const source = `setInterval(() => postMessage(0), ${Number(milliseconds)})`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.worker.onmessage = () => {
      if (document.hidden) this.setTriggerValue("beat", Date.now());
    };
  }

  // Returns the click's number. Its `id`, where what it asks for must not be done twice.
  send(action, key, id = null) {
    this.outbox.push({ n: ++this.sequence, action, key, id, session: this.session });
    this.post();
    return this.sequence;
  }

  // To a server that was started anew: what the one before did not acknowledge.
  sendAgainTo(session) {
    this.session = session;
    for (const item of this.outbox) item.session = session;
    if (this.outbox.length) this.post();
  }

  post() {
    this.sentAt = Date.now();
    this.setStateValue("outbox", this.outbox.slice());
  }

  drawTotals(totals) {
    for (const total of totals) {
      const group = keep(this.totals, total.name, () => {
        const made = build("div", "total", { name: ["dt"], value: ["dd"], note: ["dd", "note"] });
        this.totalsElement.append(made.element);
        return made;
      });
      setText(group.name, total.name);
      setText(group.value, total.value);
      setText(group.note, total.note);
      group.element.dataset.loud = String(total.value !== "0");
      group.element.dataset.name = total.name;
    }
  }

  drawStrip(waiting, hidden) {
    const chips = this.strip.querySelector(".chips");
    const known = new Set(waiting.map((item) => item.id));
    for (const [id, chip] of this.chips) {
      if (!known.has(id)) {
        chip.element.remove();
        this.chips.delete(id);
      }
    }
    const news = [];
    waiting.forEach((item, index) => {
      const chip = keep(this.chips, item.id, () => {
        news.push(`Session ${item.short}, ${item.title}: ${item.words}`);
        return build("button", "chip", { short: ["code"], title: ["span"], words: ["span", "words"] });
      });
      chip.element.type = "button";
      chip.element.dataset.goto = item.id;
      setText(chip.short, `#${item.short}`);
      setText(chip.title, item.title);
      setText(chip.words, item.words);
      place(chips, chip.element, index);
    });
    const count = waiting.length + hidden;
    const who = count === 1 ? "1 session waits for you" : `${count} sessions wait for you`;
    const rest = hidden ? ` (${hidden} hidden by filters)` : "";
    setText(this.strip.querySelector(".strip-words"), `🟡 ${who}${rest}`);
    setHidden(this.strip, count === 0);
    if (!this.first && news.length) this.say(news.join(". "));
  }

  drawSections(sections) {
    const names = new Set(sections.map((section) => section.name));
    const present = new Set(sections.flatMap((section) => section.cards).map((card) => card.id));
    for (const id of this.gone.keys()) present.delete(id);
    for (const [id, card] of this.cards) {
      if (!present.has(id)) {
        card.element.remove();
        this.cards.delete(id);
        this.control.gone(card);
      }
    }
    for (const [name, section] of this.sections) {
      if (!names.has(name)) {
        section.element.remove();
        this.sections.delete(name);
      }
    }
    sections.forEach((section, index) => this.drawSection(section, index));
  }

  drawSection(data, index) {
    const section = keep(this.sections, data.name, () => newSection(data.name));
    place(this.sectionsElement, section.element, index);
    const cards = data.cards.filter((card) => !this.gone.has(card.id));
    const total = data.total - (data.cards.length - cards.length);
    setText(section.title, data.title);
    setText(section.count, `(${total.toLocaleString("en")})`);
    setText(section.empty, data.empty);
    setHidden(section.empty, total > 0);
    setText(section.more, `Show more (${data.more.toLocaleString("en")} not shown)`);
    section.more.dataset.more = data.name;
    setHidden(section.more, data.more === 0);
    cards.forEach((card, at) => this.drawCard(card, data.name, section.grid, at));
  }

  drawCard(data, sectionName, grid, index) {
    let card = this.cards.get(data.id);
    const isNew = !card;
    if (isNew) this.cards.set(data.id, (card = newCard(data.id)));
    const moved = card.section !== sectionName;
    place(grid, card.element, index);
    if (!this.first && moved) animate(card.element, isNew ? "enter" : "settle");
    if (!this.first && data.status === "failed" && card.status !== "failed") {
      animate(card.element, "pulse");
      this.say(`Session ${data.short}, ${data.title}: failed`);
    }
    card.section = sectionName;
    card.status = data.status;
    card.data = data;
    fillCard(card, data);
    this.control.draw(card);
    if (this.focusWhenBack === data.id) {
      this.focusWhenBack = null;
      card.element.focus();
    }
  }

  tick() {
    if (document.hidden) return;
    const now = Date.now();
    for (const card of this.cards.values()) tickCard(card, now);
    // Streamlit may drop what was sent while a run was under way.
    if (this.outbox.length && now - this.sentAt > RESEND_MS) this.post();
  }

  // What comes in one moment is one announcement: the next would take its place unheard.
  say(words) {
    this.saying.push(words);
    if (this.saying.length > 1) return;
    queueMicrotask(() => setText(this.spoken, this.saying.splice(0).join(". ")));
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.goto) this.goTo(button.dataset.goto);
    if (button.dataset.more) this.send("more", button.dataset.more);
    if (button.classList.contains("undo-button")) this.takeBack(event.detail === 0);
    if (button.closest(".confirm")) this.control.answered(button);
    const element = button.closest("article");
    const card = element && this.cards.get(element.dataset.id);
    if (!card) return;
    if (button === card.toggle) toggleError(card);
    if (button.dataset.action === "copy-error") copyError(card, this);
    if (button.dataset.action === "dismiss") this.dismiss(card, event.detail === 0);
    if (button.dataset.action === "undismiss") this.send("undismiss", card.data.id);
    if (button.dataset.action) this.control.clicked(card, button.dataset.action);
  }

  pressed(event) {
    const element = event.key === "Escape" && event.target.closest("article");
    if (element) this.control.closeMenu(this.cards.get(element.dataset.id));
  }

  goTo(id) {
    const card = this.cards.get(id);
    if (!card) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.element.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
    card.element.focus({ preventScroll: true });
  }

  dismiss(card, byKeyboard) {
    const { id, short, title } = card.data;
    this.send("dismiss", id);
    this.gone.set(id, { n: this.sequence });
    this.undoable.push(id);
    card.element.remove();
    this.cards.delete(id);
    const several = `Dismissed ${this.undoable.length} sessions`;
    const words = this.undoable.length > 1 ? several : `Dismissed #${short} ${title}`;
    setText(this.undo.querySelector(".undo-words"), words);
    setHidden(this.undo, false);
    if (byKeyboard) this.undo.querySelector("button").focus();
    this.say(`Dismissed session ${short}. Undo is available for ten seconds.`);
    this.endUndoIn(UNDO_MS);
  }

  takeBack(byKeyboard) {
    for (const id of this.undoable) {
      this.gone.delete(id);
      this.send("undismiss", id);
    }
    if (byKeyboard) this.focusWhenBack = this.undoable[0];
    this.say(this.undoable.length > 1 ? "The sessions are back." : "The session is back.");
    this.endUndo();
  }

  // Never takes the button away from under the keyboard.
  endUndoIn(milliseconds) {
    clearTimeout(this.undoTimer);
    this.undoTimer = setTimeout(() => {
      if (this.undo.matches(":focus-within")) this.endUndoIn(1000);
      else this.endUndo();
    }, milliseconds);
  }

  endUndo() {
    clearTimeout(this.undoTimer);
    this.undoable = [];
    setHidden(this.undo, true);
  }
}

function newSection(name) {
  const section = build("section", "section", {
    heading: ["h2"],
    empty: ["p", "empty"],
    grid: ["div", "grid"],
    more: ["button", "more"],
  });
  section.element.dataset.section = name;
  section.title = section.heading.appendChild(document.createElement("span"));
  section.heading.append(" ");
  section.count = section.heading.appendChild(document.createElement("span"));
  section.count.className = "count";
  section.more.type = "button";
  return section;
}

function newCard(id) {
  const card = build("article", "card", {
    head: ["header"],
    title: ["h3"],
    about: ["div", "about"],
    badges: ["ul", "badges"],
    progress: ["div", "progress"],
    meta: ["ul", "meta"],
    latest: ["p", "latest"],
    errorBox: ["div", "error"],
    outcome: ["p", "outcome"],
    actions: ["div", "actions"],
  });
  const inside = (parent, tag, name) => {
    const element = parent.appendChild(document.createElement(tag));
    if (name) element.className = name;
    return element;
  };
  card.element.dataset.id = id;
  card.element.tabIndex = -1;
  card.icon = inside(card.head, "span", "icon");
  card.icon.setAttribute("aria-hidden", "true");
  card.words = inside(card.head, "span", "words");
  card.since = inside(card.head, "span", "since");
  card.short = inside(card.head, "code", "short");
  card.sample = inside(card.about, "span", "sample");
  card.tags = inside(card.about, "ul", "tags");
  card.specs = inside(card.actions, "span", "specs");
  card.times = inside(card.head, "span", "times");
  card.bar = inside(card.progress, "div", "bar");
  card.bar.setAttribute("role", "progressbar");
  card.fill = inside(card.bar, "div", "fill");
  card.percent = inside(card.progress, "span", "percent");
  card.errorClass = inside(card.errorBox, "strong");
  card.message = inside(card.errorBox, "pre", "message");
  card.toggle = inside(card.errorBox, "button", "toggle");
  card.toggle.type = "button";
  card.toggle.setAttribute("aria-expanded", "false");
  card.copied = inside(card.errorBox, "textarea", "copied");
  card.copied.readOnly = true;
  card.copied.hidden = true;
  card.copied.addEventListener("blur", () => (card.copied.hidden = true));
  card.buttons = new Map();
  card.link = inside(card.actions, "a", "link");
  card.link.textContent = "📄 View Logs";
  return card;
}

function fillCard(card, data) {
  const name = `session ${data.short}`;
  card.element.dataset.tone = data.tone;
  card.element.dataset.status = data.status;
  card.element.classList.toggle("is-dismissed", data.dismissed);
  setAttribute(card.element, "aria-label", `${name}: ${data.title}, ${data.words}`);
  setText(card.icon, data.icon);
  setText(card.words, data.dismissed ? `${data.words}, dismissed` : data.words);
  setAttribute(card.words, "title", data.reason);
  setText(card.short, `#${data.short}`);
  setText(card.sample, data.sample ? "Sample" : "");
  setText(card.title, data.title);
  setAttribute(card.title, "title", data.title);
  setList(card.tags, data.tags);
  setList(card.meta, data.meta);
  setList(card.badges, data.badges.map((badge) => badge.words));
  data.badges.forEach((badge, number) => {
    setAttribute(card.badges.children[number], "title", badge.reason);
    setAttribute(card.badges.children[number], "aria-label", `${badge.words}: ${badge.reason}`);
  });
  setSpecs(card.specs, data.specs, name);
  setHidden(card.progress, data.percent === null);
  if (data.percent !== null) {
    setText(card.percent, `${data.percent}%`);
    setAttribute(card.progress, "title", data.todos);
    setAttribute(card.bar, "aria-valuenow", String(data.percent));
    setAttribute(card.bar, "aria-label", `Progress of ${name}: ${data.todos}`);
    card.fill.style.transform = `scaleX(${data.percent / 100})`;
  }
  setText(card.latest, data.quoted ? `“${data.latest}”` : data.latest || "");
  setHidden(card.latest, !data.latest);
  setHidden(card.errorBox, !data.errorClass);
  setText(card.errorClass, data.errorClass || "");
  setText(card.message, data.error || "");
  const long = (data.error || "").length > 90 || (data.error || "").split("\n").length > 2;
  setHidden(card.toggle, !long);
  labelToggle(card, name);
  setAttribute(card.link, "href", data.link);
  setAttribute(card.link, "aria-label", `View Logs, ${name}`);
}

function setSpecs(list, specs, name) {
  while (list.children.length > specs.length) list.lastElementChild.remove();
  specs.forEach((spec, index) => {
    const link = list.children[index] || list.appendChild(document.createElement("a"));
    link.className = "link";
    setText(link, specs.length > 1 ? `📐 ${spec.name}` : "📐 Open Spec");
    setAttribute(link, "href", spec.href);
    setAttribute(link, "title", spec.name);
    setAttribute(link, "aria-label", `Open Spec ${spec.name}, ${name}`);
  });
}

function labelToggle(card, name) {
  const open = card.errorBox.classList.contains("open");
  setText(card.toggle, open ? "Less" : "More");
  setAttribute(card.toggle, "aria-expanded", String(open));
  setAttribute(card.toggle, "aria-label", `${open ? "Less" : "More"} of the error, ${name}`);
}

function toggleError(card) {
  card.errorBox.classList.toggle("open");
  labelToggle(card, `session ${card.data.short}`);
}

async function copyError(card, board) {
  const button = card.buttons.get("copy-error");
  try {
    await navigator.clipboard.writeText(card.data.error);
    button.textContent = "✓ Copied";
    board.say("Error copied.");
    setTimeout(() => (button.textContent = wordsOf("copy-error")), 2000);
  } catch {
    card.copied.value = card.data.error;
    card.copied.hidden = false;
    card.copied.setAttribute("aria-label", "The error, selected. Copy it with Control C.");
    card.copied.focus();
    card.copied.select();
  }
}

function tickCard(card, now) {
  const { startedAt, endedAt, durationMs, since, status, lastSeenAt } = card.data;
  const ended = endedAt !== null;
  let length = durationMs;
  if (!ended && startedAt !== null) length = Math.max(0, now - startedAt);
  const lasted = length === null ? "" : duration(length, !ended);
  setText(card.times, ended ? [lasted, ago(now - endedAt)].filter(Boolean).join(" │ ") : lasted);
  setAttribute(card.times, "title", ended ? `Ended ${new Date(endedAt).toLocaleString()}` : "Duration");
  const counts = !ended && status !== "running" && since !== null;
  const counted = counts ? `for ${duration(Math.max(0, now - since), false)}` : "";
  setText(card.since, lastSeenAt ? `last seen ${duration(Math.max(0, now - lastSeenAt), true)} ago` : counted);
}

function duration(milliseconds, ticking) {
  const all = Math.floor(milliseconds / 1000);
  const [days, hours] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24];
  const [minutes, seconds] = [Math.floor(all / 60) % 60, all % 60];
  const two = (number) => String(number).padStart(2, "0");
  if (days) return `${days}d ${two(hours)}h${ticking ? ` ${two(minutes)}m` : ""}`;
  if (hours) return `${hours}h ${two(minutes)}m${ticking ? ` ${two(seconds)}s` : ""}`;
  return minutes ? `${minutes}m ${two(seconds)}s` : `${seconds}s`;
}

function ago(milliseconds) {
  const minutes = Math.floor(milliseconds / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes}m ago`;
  if (minutes < 60 * 48) return `${Math.floor(minutes / 60)}h ago`;
  return `${Math.floor(minutes / 1440)}d ago`;
}

// Small tools that touch the page only where something differs.

function build(tag, name, parts) {
  const made = { element: document.createElement(tag) };
  made.element.className = name;
  for (const [part, [partTag, partName]] of Object.entries(parts)) {
    made[part] = made.element.appendChild(document.createElement(partTag));
    if (partName) made[part].className = partName;
  }
  return made;
}

function keep(map, key, make) {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
}

function place(parent, element, index) {
  const there = parent.children[index] || null;
  if (there === element) return;
  if (parent.moveBefore && element.isConnected) parent.moveBefore(element, there);
  else parent.insertBefore(element, there);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

function setList(list, texts) {
  while (list.children.length > texts.length) list.lastElementChild.remove();
  texts.forEach((text, index) => {
    const item = list.children[index] || list.appendChild(document.createElement("li"));
    setText(item, text);
  });
  setHidden(list, texts.length === 0);
}

function animate(element, name) {
  element.classList.remove("enter", "settle", "pulse");
  element.classList.add(name);
  element.addEventListener("animationend", () => element.classList.remove(name), { once: true });
}
