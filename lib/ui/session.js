// A page of a transcript. Keeps elements by id and touches only what changed, so selection and
// scroll stay. Text from sessions is only ever set as textContent.
const views = new WeakMap();
const NEAR = 48;

export default function ({ data, parentElement, setStateValue }) {
  let view = views.get(parentElement);
  if (!view?.list.isConnected) views.set(parentElement, (view = new View(parentElement)));
  view.sizes.observe(view.list);
  view.setStateValue = setStateValue;
  view.update(data);
  return () => view.sizes.disconnect();
}

class View {
  constructor(parent) {
    this.list = parent.querySelector(".entries");
    this.empty = parent.querySelector(".empty");
    this.newest = parent.querySelector(".newest");
    this.entries = new Map();
    this.opened = [];
    this.atEnd = true;
    this.list.onscroll = () => this.scrolled();
    this.list.onclick = (event) => this.clicked(event);
    this.newest.onclick = () => this.toEnd();
    // Drawn before it is laid out, or narrower than before: the end is elsewhere then.
    this.sizes = new ResizeObserver(() => this.stay());
  }

  update(data) {
    const turned = data.view !== this.view;
    this.view = data.view;
    this.isNewest = data.newest;
    const known = new Set(turned ? [] : data.rows.map((row) => row.id));
    for (const [id, entry] of this.entries) {
      if (!known.has(id)) {
        entry.element.remove();
        this.entries.delete(id);
      }
    }
    data.rows.forEach((row, index) => this.draw(row, index, data.search));
    setText(this.empty, data.empty);
    setHidden(this.empty, data.rows.length > 0);
    setHidden(this.list, data.rows.length === 0);
    if (turned) this.atEnd = true;
    this.stay();
  }

  draw(row, index, search) {
    let entry = this.entries.get(row.id);
    if (!entry) this.entries.set(row.id, (entry = newEntry(row.id)));
    const there = this.list.children[index] || null;
    if (there !== entry.element) this.list.insertBefore(entry.element, there);
    fill(entry, row, search);
  }

  clicked(event) {
    const button = event.target.closest("button.all");
    const id = button && button.closest("article").dataset.id;
    if (!id) return;
    this.atEnd = false;
    const open = this.opened.includes(id);
    this.opened = open ? this.opened.filter((one) => one !== id) : [...this.opened, id].slice(-50);
    this.setStateValue("opened", this.opened);
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    setHidden(this.newest, this.atEnd || !this.isNewest || this.list.hidden);
  }

  stay() {
    if (this.atEnd) this.toEnd();
    else this.scrolled();
  }

  toEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.scrolled();
  }
}

function newEntry(id) {
  const element = document.createElement("article");
  element.className = "entry";
  element.dataset.id = id;
  const entry = { element };
  const header = element.appendChild(document.createElement("header"));
  for (const [name, tag, parent] of [
    ["label", "span", header],
    ["title", "span", header],
    ["badge", "span", header],
    ["time", "time", header],
    ["about", "div", element],
    ["text", "pre", element],
    ["all", "button", element],
    ["omitted", "div", element],
  ]) {
    entry[name] = parent.appendChild(document.createElement(tag));
    entry[name].className = name === "omitted" ? "about" : name;
  }
  entry.all.type = "button";
  return entry;
}

function fill(entry, row, search) {
  entry.element.dataset.kind = row.kind;
  entry.element.dataset.level = row.level;
  setText(entry.label, `${row.icon} ${row.label}`);
  setMarked(entry.title, row.title, search);
  setText(entry.badge, row.badge);
  setMarked(entry.about, row.about, search);
  setMarked(entry.text, row.text, search);
  setHidden(entry.text, !row.text);
  setHidden(entry.all, row.more === 0 && !entry.long);
  entry.long = entry.long || row.more > 0;
  const count = row.more.toLocaleString("en");
  setText(entry.all, row.more ? `Show all (${count} more characters)` : "Show less");
  entry.all.setAttribute("aria-expanded", String(row.more === 0));
  setText(
    entry.omitted,
    row.omitted ? `${row.omitted.toLocaleString("en")} more characters are only in its file.` : "",
  );
  const moment = row.at === null ? null : new Date(row.at);
  setText(entry.time, moment ? told(moment) : "");
  const when = moment ? `${moment.toLocaleString()}, ${row.source}` : row.source;
  if (entry.time.title !== when) entry.time.title = when;
}

function told(moment) {
  const today = moment.toDateString() === new Date().toDateString();
  const time = moment.toLocaleTimeString("en-GB");
  return today ? time : `${moment.toLocaleDateString("en-CA")} ${time}`;
}

// Text nodes and <mark> elements around what was searched for; nothing is parsed.
function setMarked(element, text, search) {
  const made = `${search}\n${text}`;
  if (element.made === made) return;
  element.made = made;
  const wanted = search.toLowerCase();
  const where = text.toLowerCase();
  if (!wanted || where.length !== text.length || !where.includes(wanted)) {
    element.textContent = text;
    return;
  }
  const parts = [];
  let from = 0;
  for (let at = where.indexOf(wanted); at >= 0; at = where.indexOf(wanted, from)) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + wanted.length);
    parts.push(text.slice(from, at), mark);
    from = at + wanted.length;
  }
  element.replaceChildren(...parts, text.slice(from));
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}
