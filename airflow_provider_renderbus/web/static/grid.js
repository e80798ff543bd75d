// A grid of frames of which only the visible rows exist, with pictures from sprites of twenty frames.

const { count, duration, element, frameState, frameTone, sign, setClass, setText } = await import(
  `./dom.js${new URL(import.meta.url).search}`
);

const SPRITE_FRAMES = 20;
const SPRITE_COLUMNS = 5;
const SPRITES_KEPT = 150;
const MIN_TILE_WIDTH = 132;
const GAP = 8;
const CAPTION_HEIGHT = 24;
const OVERSCAN_ROWS = 2;
const SCROLL_PAUSE = 120;
const LOADING_PAUSE = 1500;
const OFFLINE_PAUSE = 10_000;
const PAUSE_WITHOUT_PICTURE = 60_000;

// The pictures of one layer, fetched when they come into view.
class Sprites {
  // onLoad: is called when there are new pictures. onRetry: is called when some are to be fetched again.
  constructor(url, onLoad, onRetry) {
    this.url = url;
    this.onLoad = onLoad;
    this.onRetry = onRetry;
    this.sprites = new Map();
  }

  // Returns where the picture of a frame is, undefined if there is none yet.
  find(index) {
    const sprite = this.sprites.get(Math.floor(index / SPRITE_FRAMES));
    const at = index % SPRITE_FRAMES;
    if (!sprite?.blob || sprite.pictures[at] !== "1") return undefined;
    const rows = Math.ceil(sprite.pictures.length / SPRITE_COLUMNS);
    const [column, row] = [at % SPRITE_COLUMNS, Math.floor(at / SPRITE_COLUMNS)];
    return {
      image: `url("${sprite.blob}")`,
      size: `${SPRITE_COLUMNS * 100}% ${rows * 100}%`,
      position: `${(column * 100) / (SPRITE_COLUMNS - 1)}% ${rows > 1 ? (row * 100) / (rows - 1) : 0}%`,
    };
  }

  // Fetches a sprite whose frames have changed since it was fetched last, or that lacks pictures.
  async load(number, frames) {
    const first = number * SPRITE_FRAMES;
    const slice = frames.slice(first, first + SPRITE_FRAMES);
    if (!slice.some((frame) => frame?.state === 4)) return;
    const version = slice.map((frame) => `${frame?.state === 4 ? 1 : 0}${frame?.recommits || ""}`).join("");
    const known = this.sprites.get(number);
    if (known && (known.loading || (known.version === version && Date.now() < known.until))) return;
    const sprite = { blob: known?.blob, pictures: known?.pictures ?? "", loading: true };
    this.sprites.delete(number);
    this.sprites.set(number, sprite);
    try {
      const response = await fetch(`${this.url}/sprites/${number}?v=${version}`);
      if (!response.ok) throw new Error(response.statusText);
      const body = await response.blob();
      if (this.isClosed) return;
      const blob = URL.createObjectURL(body);
      if (sprite.blob) URL.revokeObjectURL(sprite.blob);
      const pictures = response.headers.get("Renderbus-Pictures") ?? "";
      Object.assign(sprite, { blob, pictures });
      if (response.headers.get("Renderbus-Complete") === "1") {
        const hasAll = slice.every((frame, at) => frame?.state !== 4 || pictures[at] === "1");
        Object.assign(sprite, { version, until: hasAll ? Infinity : Date.now() + PAUSE_WITHOUT_PICTURE });
      } else this.retry(LOADING_PAUSE);
    } catch {
      this.retry(OFFLINE_PAUSE);
    }
    sprite.loading = false;
    for (const [old, { blob, loading }] of this.sprites) {
      if (this.sprites.size <= SPRITES_KEPT) break;
      if (loading) continue;
      if (blob) URL.revokeObjectURL(blob);
      this.sprites.delete(old);
    }
    this.onLoad();
  }

  retry(pause) {
    setTimeout(() => this.isClosed || this.onRetry(), pause);
  }

  close() {
    this.isClosed = true;
    for (const { blob } of this.sprites.values()) if (blob) URL.revokeObjectURL(blob);
    this.sprites.clear();
  }
}

export class FrameGrid {
  // url: of the layer. onOpen: is called with a frame.
  constructor(url, label, hasPictures, onOpen) {
    this.frames = [];
    this.shown = [];
    this.filter = null;
    this.onOpen = onOpen;
    this.hasPictures = hasPictures;
    this.focused = 0;
    this.rows = new Map();
    this.node = element("div", { class: "grid", role: "grid", "aria-label": label, "aria-multiselectable": "false" });
    this.sprites = new Sprites(url, () => this.draw(), () => this.loadPictures());
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.node.addEventListener("click", (event) => {
      const tile = event.target.closest("[data-at]");
      if (tile) this.open(Number(tile.dataset.at));
    });
    this.onScroll = () => {
      this.draw();
      clearTimeout(this.pause);
      this.pause = setTimeout(() => this.loadPictures(), SCROLL_PAUSE);
    };
    this.resize = new ResizeObserver(() => this.onScroll());
    addEventListener("scroll", this.onScroll, { passive: true });
    this.resize.observe(this.node);
  }

  close() {
    removeEventListener("scroll", this.onScroll);
    this.resize.disconnect();
    this.sprites.close();
  }

  // Shows frames; those that are not known yet are undefined.
  update(frames, filter) {
    this.frames = frames;
    this.filter = filter;
    this.shown = [];
    for (let index = 0; index < frames.length; index += 1) {
      if (!filter || (frames[index] && frameTone(frames[index].state) === filter)) this.shown.push(index);
    }
    this.focused = Math.min(this.focused, Math.max(0, this.shown.length - 1));
    this.draw();
    this.loadPictures();
  }

  measure() {
    const width = this.node.clientWidth || 1;
    this.columns = Math.max(1, Math.floor((width + GAP) / (MIN_TILE_WIDTH + GAP)));
    this.tileWidth = (width - GAP * (this.columns - 1)) / this.columns;
    this.rowHeight = Math.round((this.tileWidth * 9) / 16) + CAPTION_HEIGHT + GAP;
    this.rowCount = Math.ceil(this.shown.length / this.columns);
  }

  visibleRows() {
    const top = -this.node.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / this.rowHeight) - OVERSCAN_ROWS);
    const last = Math.min(this.rowCount - 1, Math.ceil((top + innerHeight) / this.rowHeight) + OVERSCAN_ROWS);
    return [first, last];
  }

  draw() {
    const hadFocus = this.node.contains(document.activeElement);
    this.measure();
    const [first, last] = this.visibleRows();
    const height = `${Math.max(0, this.rowCount * this.rowHeight - GAP)}px`;
    if (this.node.style.height !== height) this.node.style.height = height;
    this.node.setAttribute("aria-rowcount", this.rowCount);
    this.node.setAttribute("aria-colcount", this.columns);
    const kept = new Set([Math.floor(this.focused / this.columns)]);
    for (let row = first; row <= last; row += 1) kept.add(row);
    for (const [row, { node }] of this.rows) {
      if (!kept.has(row) || row >= this.rowCount) {
        node.remove();
        this.rows.delete(row);
      }
    }
    for (const row of kept) if (row < this.rowCount) this.drawRow(row);
    // The rows are new if the number of columns has changed.
    if (hadFocus && !this.node.contains(document.activeElement)) this.tileAt(this.focused)?.node.focus({ preventScroll: true });
  }

  tileAt(at) {
    return this.rows.get(Math.floor(at / this.columns))?.tiles[at % this.columns];
  }

  drawRow(row) {
    let entry = this.rows.get(row);
    if (!entry || entry.tiles.length !== this.columns) {
      entry?.node.remove();
      const tiles = Array.from({ length: this.columns }, () => new Tile());
      const node = element("div", { role: "row", "aria-rowindex": row + 1, class: "row" });
      node.append(...tiles.map((tile) => tile.node));
      entry = { node, tiles };
      this.rows.set(row, entry);
      const next = [...this.rows.keys()].filter((other) => other > row).sort((a, b) => a - b)[0];
      this.node.insertBefore(node, next === undefined ? null : this.rows.get(next).node);
    }
    entry.node.style.transform = `translateY(${row * this.rowHeight}px)`;
    entry.node.style.gridTemplateColumns = `repeat(${this.columns}, ${this.tileWidth}px)`;
    entry.node.style.height = `${this.rowHeight - GAP}px`;
    entry.tiles.forEach((tile, column) => {
      const at = row * this.columns + column;
      const index = this.shown[at];
      const frame = index === undefined ? undefined : this.frames[index];
      tile.update(at, frame, index !== undefined, at === this.focused, index === undefined ? undefined : this.sprites.find(index));
    });
  }

  loadPictures() {
    if (!this.hasPictures || !this.shown.length) return;
    const [first, last] = this.visibleRows();
    const numbers = new Set();
    for (let at = first * this.columns; at < Math.min((last + 1) * this.columns, this.shown.length); at += 1) {
      numbers.add(Math.floor(this.shown[at] / SPRITE_FRAMES));
    }
    for (const number of numbers) this.sprites.load(number, this.frames);
  }

  onKey(event) {
    const { columns } = this;
    const page = columns * Math.max(1, Math.floor(innerHeight / this.rowHeight) - 1);
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page,
      Home: -Infinity, End: Infinity,
    };
    if (event.key in steps && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.focus(this.focused + steps[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(this.focused);
    }
  }

  // Moves the keyboard's position to a frame, and scrolls to it.
  focus(at) {
    this.focused = Math.max(0, Math.min(this.shown.length - 1, at));
    this.measure();
    const top = this.node.getBoundingClientRect().top + scrollY + Math.floor(this.focused / this.columns) * this.rowHeight;
    if (top < scrollY + 8) scrollTo({ top: top - 8 });
    else if (top + this.rowHeight > scrollY + innerHeight) scrollTo({ top: top + this.rowHeight - innerHeight });
    this.draw();
    this.tileAt(this.focused)?.node.focus({ preventScroll: true });
  }

  // Scrolls to the frame of an index, if it is shown.
  reveal(index) {
    const at = this.shown.findIndex((shown) => shown >= index);
    if (at >= 0) this.focus(at);
  }

  open(at) {
    this.focused = at;
    const frame = this.frames[this.shown[at]];
    this.draw();
    if (frame) this.onOpen(frame);
  }
}

class Tile {
  constructor() {
    this.picture = element("span", { class: "picture" });
    this.name = element("b");
    this.time = element("span");
    this.node = element("div", { role: "gridcell", class: "tile" },
      this.picture, element("span", { class: "caption" }, this.name, this.time));
  }

  update(at, frame, exists, isFocused, picture) {
    const { node } = this;
    node.style.visibility = exists ? "visible" : "hidden";
    node.tabIndex = isFocused ? 0 : -1;
    if (!exists) {
      delete node.dataset.at;
      return;
    }
    node.dataset.at = at;
    const tone = frame ? frameTone(frame.state) : "unknown";
    setClass(node, `tile ${tone}${picture ? " has-picture" : ""}`);
    this.picture.style.backgroundImage = picture?.image ?? "";
    this.picture.style.backgroundSize = picture?.size ?? "";
    this.picture.style.backgroundPosition = picture?.position ?? "";
    setText(this.picture, picture || !frame ? "" : sign(tone));
    setText(this.name, frame?.name ?? "");
    setText(this.time, frame?.state === 4 && frame.seconds !== null ? duration(frame.seconds) : frame ? frameState(frame.state) : "");
    const recommits = frame?.recommits ? `, recommitted ${count(frame.recommits)} times` : "";
    const time = frame?.state === 4 && frame.seconds !== null ? `, ${duration(frame.seconds)}` : "";
    node.setAttribute("aria-label", frame ? `Frame ${frame.name}, ${frameState(frame.state)}${time}${recommits}` : "Frame");
  }
}
