// Acting on sessions: a card's buttons, what is under way, and the confirmation of what can't be
// undone. One module with board.js, which it is joined to.
const ACTIONS = {
  start: { icon: "▶️", label: "Start", busy: "Starting…" },
  pause: { icon: "⏸️", label: "Pause", busy: "Pausing…" },
  resume: { icon: "▶️", label: "Resume", busy: "Resuming…" },
  stop: { icon: "⏹️", label: "Stop", busy: "Stopping…" },
  retry: { icon: "↻", label: "Retry", busy: "Retrying…" },
  archive: {
    icon: "🗄",
    label: "Archive",
    busy: "Archiving…",
    ask: "Archive its log?",
    words: "The server writes the session's log into the project's folder, below .leanspec/sessions. The session itself stays.",
  },
  delete: {
    icon: "✕",
    label: "Delete",
    busy: "Deleting…",
    ask: "Delete it on the server?",
    words: "The server deletes the session with its log, for good. What it has changed in the project stays.",
  },
  "copy-error": { icon: "📋", label: "Copy Error" },
  dismiss: { icon: "🗑", label: "Dismiss" },
  undismiss: { icon: "↩", label: "Restore" },
  more: { icon: "⋯", label: "More actions" },
};

// 128 random bits: unlike a UUID, also to be had where the page is not served securely.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Control {
  constructor(board, dialog) {
    this.board = board;
    this.dialog = dialog;
    this.asked = new Map(); // clicked here and not yet acknowledged: number to card id and kind
    dialog.onclose = () => (this.confirming = null);
  }

  // What Python has acknowledged stands in its data from now on.
  acknowledge(number) {
    for (const n of this.asked.keys()) if (n <= number) this.asked.delete(n);
  }

  isBusy(data, kind) {
    const clicked = [...this.asked.values()];
    return (
      data.underWay.includes(kind) ||
      clicked.some((one) => one.id === data.id && one.kind === kind)
    );
  }

  clicked(card, kind) {
    if (kind === "more") this.toggleMenu(card);
    else if (this.isBusy(card.data, kind)) return;
    else if (ACTIONS[kind].ask) this.confirm(card, kind);
    else if (ACTIONS[kind].busy) this.ask(card, kind);
  }

  ask(card, kind) {
    this.asked.set(this.board.send(kind, card.data.id, newId()), { id: card.data.id, kind });
    this.board.say(`${ACTIONS[kind].busy} Session ${card.data.short}`);
    this.draw(card);
  }

  confirm(card, kind) {
    const { ask, words, label } = ACTIONS[kind];
    const find = (selector) => this.dialog.querySelector(selector);
    this.confirming = { card, kind };
    setText(find(".confirm-title"), ask);
    setText(find(".confirm-session"), `#${card.data.short} ${card.data.title}`);
    setText(find(".confirm-words"), words);
    setText(find(".confirm-yes"), label);
    find(".confirm-yes").classList.toggle("danger", kind === "delete");
    this.dialog.showModal();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  answered(button) {
    const { card, kind } = this.confirming;
    this.close();
    if (button.classList.contains("confirm-yes")) this.ask(card, kind);
  }

  toggleMenu(card) {
    card.menuOpen = !card.menuOpen;
    this.draw(card);
    if (card.menuOpen) card.buttons.get(card.data.menu[0]).focus();
  }

  closeMenu(card) {
    if (!card.menuOpen) return;
    this.toggleMenu(card);
    card.buttons.get("more").focus();
  }

  draw(card) {
    const { actions, menu, note, short } = card.data;
    const shown = menu.filter((kind) => card.menuOpen || this.isBusy(card.data, kind));
    const kinds = [...actions, ...(menu.length ? ["more"] : []), ...shown];
    setButtons(card, kinds, `session ${short}`);
    for (const kind of kinds) this.drawButton(card, kind);
    const others = card.data.underWay.filter((kind) => !kinds.includes(kind));
    const words = others.map((kind) => ACTIONS[kind]?.busy).filter(Boolean);
    const told = note ? `⚠ ${note}` : words.join(" ");
    if (!this.board.first && note && note !== card.note) this.board.say(`Session ${short}: ${note}`);
    card.note = note;
    setText(card.outcome, told);
    setHidden(card.outcome, !told);
    const confirmed = this.confirming;
    if (confirmed?.card === card && !menu.includes(confirmed.kind)) this.dialog.close();
  }

  drawButton(card, kind) {
    const button = card.buttons.get(kind);
    const { icon, label, busy } = ACTIONS[kind];
    const isBusy = Boolean(busy) && this.isBusy(card.data, kind);
    if (busy) setText(button, `${icon} ${isBusy ? busy : label}`);
    // Not "disabled": that would take the focus away.
    if (busy) setAttribute(button, "aria-disabled", String(isBusy));
    if (kind === "more") setAttribute(button, "aria-expanded", String(Boolean(card.menuOpen)));
  }

  gone(card) {
    if (this.confirming?.card === card) this.dialog.close();
  }
}

function setButtons(card, kinds, name) {
  const focused = card.actions.querySelector("button:focus")?.dataset.action;
  for (const [kind, button] of card.buttons) {
    if (!kinds.includes(kind)) {
      button.remove();
      card.buttons.delete(kind);
    }
  }
  kinds.forEach((kind, index) => {
    const button = keep(card.buttons, kind, () => {
      const made = document.createElement("button");
      made.type = "button";
      made.dataset.action = kind;
      made.textContent = kind === "more" ? ACTIONS.more.icon : wordsOf(kind);
      made.setAttribute("aria-label", `${ACTIONS[kind].label}, ${name}`);
      return made;
    });
    place(card.actions, button, index);
  });
  // Where Pause was pressed, Resume is what the keyboard is at.
  if (focused && !kinds.includes(focused)) card.buttons.get(kinds[0])?.focus();
}

function wordsOf(kind) {
  return `${ACTIONS[kind].icon} ${ACTIONS[kind].label}`;
}
