// The status page of tripline: the shell, and every view but the timeline and the playground, which are loaded when
// their tab is first shown. No framework and no build step: what the daemon embeds is what stands here.
//
// Everything that the API says is the text of strangers. It reaches the document in one way only, through `h` and
// `svg`, as text nodes and as attributes that cannot run anything.

// ---- Text ----

// What could hide or reorder text: control characters but line feed and tab, bidirectional controls, characters of no
// width, fillers and tags. The list is that of `untrusted.rs`.
const HOSTILE = new RegExp('[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5'
  + '\\u180b-\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb'
  + '\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e007f}]', 'gu');

/** Text as it can be shown: characters that deceive become escapes such as `\u{202e}`. */
export const visible = (text) =>
  String(text).replace(HOSTILE, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

/** At most so many characters, with an ellipsis for what is cut. */
export function clip(text, most) {
  // Characters have one or two units: text that is short in units is short in characters, and needs no splitting.
  if (text.length <= most) return text;
  const characters = Array.from(text.slice(0, 2 * most));
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
export const number = (n) => numbers.format(n);

export function plural(n, noun) {
  if (n === 1) return `1 ${noun}`;
  const many = noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : noun.endsWith('ch') ? `${noun}es` : `${noun}s`;
  return `${number(n)} ${many}`;
}

/** Seconds in their two largest units, as `tripline status` says them. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  const two = (n) => String(n).padStart(2, '0');
  if (days > 0) return `${days}d${two(hours)}h`;
  if (hours > 0) return `${hours}h${two(minutes)}m`;
  if (minutes > 0) return `${minutes}m${two(whole % 60)}s`;
  return `${whole}s`;
}

/** The same without seconds beside minutes: what stands in long lists should not flicker. */
const age = (seconds) => (seconds >= 60 && seconds < 3600 ? `${Math.floor(seconds / 60)}m` : span(seconds));

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = n < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return `${power ? (n / 1024 ** power).toFixed(1) : Math.round(n)} ${units[power]}`;
}

const ofDay = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const clockTime = new Intl.DateTimeFormat(undefined, ofDay);
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: '2-digit', day: '2-digit', ...ofDay, timeZoneName: 'short',
});

/** Local time of day; the day too if it is another one than today. */
export function timeOf(when) {
  const date = new Date(when);
  return date.toDateString() === new Date().toDateString() ? clockTime.format(date) : dayAndTime.format(date);
}

/** Local time to the second with its zone, and what the API said. */
const exactTime = (iso) => `${dayAndTime.format(new Date(iso))} (${iso})`;

// ---- Elements ----

/** An element. Strings among `children` become text, falsy ones nothing; `on…` are handlers. */
export const h = (tag, props, ...children) => dress(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) =>
  dress(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);

function dress(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith('on')) node[name] = value;
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child instanceof Node) node.append(child);
    else if (child !== false && child != null) node.append(visible(child));
  }
  return node;
}

const byId = (id) => document.getElementById(id);

/** Makes `live` like `fresh` and keeps every node that can be kept: with it focus, selection and scroll position. */
export function morph(live, fresh) {
  // Whether details are open is the reader's affair.
  const kept = (name) => name === 'open' && live.nodeName === 'DETAILS';
  for (const { name } of [...live.attributes]) {
    if (!fresh.hasAttribute(name) && !kept(name)) live.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  live.onclick = fresh.onclick;
  live.ontoggle = fresh.ontoggle;
  const [old, wanted] = [[...live.childNodes], [...fresh.childNodes]];
  wanted.forEach((node, i) => {
    if (!old[i]) live.append(node);
    else if (old[i].nodeName !== node.nodeName) old[i].replaceWith(node);
    else if (node.nodeType !== Node.TEXT_NODE) morph(old[i], node);
    else if (old[i].data !== node.data) old[i].data = node.data;
  });
  old.slice(wanted.length).forEach((node) => node.remove());
}

/** Makes the children of `parent` what is given. */
export const show = (parent, ...children) => {
  const fresh = parent.cloneNode(false);
  morph(parent, dress(fresh, {}, children));
};

/** New nodes that are made before the browser may paint. */
const CHUNK = 60;

/** Children that stand for items with keys. What has not changed is not touched; long lists are made in chunks. */
class Keyed {
  #known = new Map(); // key -> { node, item, said }
  #turn = 0;

  /** `after`: the last child of `parent` that is none of the list. */
  constructor(parent, keyOf, build, after = null) {
    Object.assign(this, { parent, keyOf, build, after });
  }

  update(items) {
    const focused = document.activeElement;
    this.#drop(new Set(items.map(this.keyOf)));
    this.#place(items, 0, this.after?.nextSibling ?? this.parent.firstChild, ++this.#turn);
    // A node that was moved has lost the focus.
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  *entries() {
    for (const { node, item } of this.#known.values()) yield [node, item];
  }

  node(key) {
    return this.#known.get(key)?.node;
  }

  /** Builds one again though its item is the same. */
  redraw(key) {
    const { node, item } = this.#known.get(key);
    morph(node, this.build(item, node));
  }

  #drop(keys) {
    for (const [key, { node }] of this.#known) {
      if (keys.has(key)) continue;
      if (node.contains(document.activeElement)) {
        const next = node.nextElementSibling ?? node.previousElementSibling;
        next?.querySelector('summary, button')?.focus({ preventScroll: true });
      }
      node.remove();
      this.#known.delete(key);
    }
  }

  #place(items, from, cursor, turn) {
    let made = 0;
    for (let i = from; i < items.length; i += 1) {
      if (made === CHUNK) {
        setTimeout(() => { if (turn === this.#turn) this.#place(items, i, cursor, turn); });
        return;
      }
      const [node, isNew] = this.#nodeOf(items[i]);
      made += isNew;
      if (node === cursor) cursor = cursor.nextSibling;
      else this.parent.insertBefore(node, cursor);
    }
  }

  #nodeOf(item) {
    const [key, said] = [this.keyOf(item), JSON.stringify(item)];
    const known = this.#known.get(key);
    if (!known) {
      const node = this.build(item, null);
      this.#known.set(key, { node, item, said });
      return [node, true];
    }
    if (known.said !== said) {
      Object.assign(known, { item, said });
      morph(known.node, this.build(item, known.node));
    }
    return [known.node, false];
  }
}

/**
 * A table whose rows open, or a sentence if there are none. Columns: `{ head, cell, right, wide }`; on narrow screens wide
 * ones are in the opened row.
 */
class Table {
  #open = new Set();

  constructor(caption, none, columns, keyOf, detail) {
    Object.assign(this, { columns, keyOf, detail });
    const head = h('thead', {}, h('tr', {}, columns.map(({ head, ...column }) =>
      h('th', { scope: 'col', class: Table.#classes(column) }, head))));
    this.none = h('p', { class: 'dim', hidden: true }, none);
    this.table = h('table', { hidden: true }, h('caption', {}, h('span', { class: 'unseen' }, caption)), head);
    this.element = h('div', {}, this.none, this.table);
    this.rows = new Keyed(this.table, keyOf, (item) => this.#body(item), head);
  }

  update(items) {
    this.none.hidden = items.length > 0;
    this.table.hidden = items.length === 0;
    this.rows.update(items);
  }

  static #classes = ({ right, wide }) => [right && 'right', wide && 'wide'].filter(Boolean).join(' ') || null;

  #body(item) {
    const key = this.keyOf(item);
    const open = this.#open.has(key);
    const toggle = () => {
      if (!this.#open.delete(key)) this.#open.add(key);
      this.rows.redraw(key);
    };
    // The whole row can be clicked, but not where something else can be, nor at the end of a selection.
    const clicked = ({ target }) => {
      if (!target.closest('button, a') && getSelection().isCollapsed) toggle();
    };
    const [first, ...others] = this.columns;
    const name = h('button', { type: 'button', class: 'opener', 'aria-expanded': String(open), onclick: toggle }, first.cell(item));
    return h('tbody', {},
      h('tr', { class: 'row', onclick: clicked },
        h('th', { scope: 'row' }, name),
        others.map((column) => h('td', { class: Table.#classes(column) }, column.cell(item)))),
      h('tr', { class: 'more', hidden: !open },
        h('td', { colspan: this.columns.length }, open && [this.#narrow(item), this.detail(item)])));
  }

  #narrow(item) {
    return h('div', { class: 'narrow' }, facts(this.columns.filter(({ wide }) => wide).map(({ head, cell }) => [head, cell(item)])));
  }
}

/** Pairs of a name and what is to be said of it; pairs without a value are left out. */
function facts(pairs) {
  const told = pairs.filter(([, value]) => value != null && value !== false && value !== '');
  return h('dl', {}, told.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

export const dim = (...children) => h('span', { class: 'dim' }, children);
const tag = (text) => h('span', { class: 'tag' }, text);
/** The heading of a part of a view, with what belongs beside it. */
export const heading = (title, ...beside) => h('div', { class: 'bar' }, h('h2', {}, title), beside);
export const button = (text, onclick, props) => h('button', { type: 'button', onclick, ...props }, text);

// Worst first.
const STATUSES = ['critical', 'warning', 'info', 'ok'];
export const rank = (status) => (STATUSES.indexOf(status) + STATUSES.length + 1) % (STATUSES.length + 1);
/** The class of a status: never a word of the API itself. */
export const statusClass = (status) => (STATUSES.includes(status) ? status : 'unknown');

/** A word with a shape; both have the colour of the class. */
const shaped = (kind, word) => h('span', { class: kind }, h('span', { class: 'shape', 'aria-hidden': 'true' }), word);
export const severity = (status) => shaped(`severity ${statusClass(status)}`, clip(status, 12));

/** A time that goes on by itself: how long ago, or how long until then (`left`). */
const moving = (iso, as) => h('time', { datetime: iso, title: exactTime(iso), 'data-as': as }, movingText(iso, as));

function movingText(iso, as) {
  const seconds = (now() - Date.parse(iso)) / 1000;
  return as === 'left' ? span(-seconds) : age(seconds);
}

export const ago = (iso) => moving(iso, 'ago');

/** A time that stays what it is. */
export const at = (iso) => h('time', { datetime: iso, title: exactTime(iso) }, timeOf(iso));

function tick() {
  for (const time of document.querySelectorAll('[data-as]')) {
    if (time.closest('[hidden]')) continue;
    const text = movingText(time.dateTime, time.dataset.as);
    if (time.textContent !== text) time.textContent = text;
  }
}

// ---- The reader: what is announced, asked and remembered ----

const announce = (text) => { byId('live').textContent = visible(text); };

/** What came of something; it goes away by itself unless it has to be read. */
function notify(text, { stays = false } = {}) {
  const note = h('div', { class: 'notice' }, h('span', {}, text), button('Close', () => note.remove()));
  byId('notices').append(note);
  if (!stays) setTimeout(() => note.remove(), 8000);
}

/** A dialog. What `work` gives is what comes of it; what it throws is shown, and the dialog stays. */
function ask(title, parts, verb, work) {
  return new Promise((done) => {
    let result;
    const problem = h('p', { class: 'problem', role: 'alert' });
    const submit = h('button', { class: 'first' }, verb);
    const send = async (event) => {
      // The policy of the page forbids forms to go anywhere.
      event.preventDefault();
      problem.textContent = '';
      submit.disabled = true;
      try {
        result = await work();
        box.close();
      } catch (error) {
        problem.textContent = visible(error.message);
      }
      submit.disabled = false;
    };
    const form = h('form', { onsubmit: send },
      h('h2', {}, title), parts, problem,
      h('div', { class: 'actions' }, submit, work !== close && button('Cancel', () => box.close())));
    const box = h('dialog', { 'aria-label': title, onclose: () => { box.remove(); done(result); } }, form);
    document.body.append(box);
    box.showModal();
  });
}

/** What a dialog does that only tells. */
const close = () => {};

/** The clipboard is there only for secure origins: on plain HTTP the text is shown to be copied by hand. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify('Copied.');
  } catch {
    const area = h('textarea', { readonly: true, rows: 12, cols: 60, 'aria-label': 'Text to copy' }, '');
    area.value = text;
    await ask('Copy this', [area], 'Close', close);
  }
}

/** Storage can be forbidden: then nothing is remembered. */
export const storage = {
  get(where, key) {
    try { return window[where].getItem(key); } catch { return null; }
  },
  set(where, key, value) {
    try {
      if (value == null) window[where].removeItem(key);
      else window[where].setItem(key, value);
    } catch { /* forgotten with the page */ }
  },
};

const systemTheme = () => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function toggleTheme() {
  const next = (document.documentElement.dataset.theme ?? systemTheme()) === 'dark' ? 'light' : 'dark';
  // Who comes back to what the system says follows the system again.
  const chosen = next === systemTheme() ? null : next;
  setTheme(chosen);
  storage.set('localStorage', 'tripline.theme', chosen);
}

const KEYS = [
  ['1 – 6', 'the views'], ['/', 'to the filter'], ['Enter', 'opens and closes what is in focus'],
  ['← →', 'between tabs; in the timeline along a lane'], ['↑ ↓', 'in the timeline between lanes'],
  ['?', 'this list'], ['Esc', 'closes a dialog, empties a filter'],
];

const showKeys = () =>
  ask('Keys', [facts(KEYS.map(([key, what]) => [h('kbd', {}, key), what]))], 'Close', close);

// ---- The API ----

let token = storage.get('sessionStorage', 'tripline.token');
let access = { may_read: true, may_write: false, has_token: false };
let accessKnown = null;

class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

export async function api(method, path, body, signal) {
  const headers = authorization();
  if (body) headers['Content-Type'] = 'application/json';
  const response = await fetch(`api/v1/${path}`, { method, headers, body: body && JSON.stringify(body), signal, cache: 'no-store' });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.error ?? `answered ${response.status}`);
  if (!answer) throw new ApiError(response.status, 'the answer is no JSON');
  return answer;
}

/** Asks for a token until one is good for `what`; false if the reader gives up. */
async function askToken(what) {
  const input = h('input', { type: 'password', autocomplete: 'off', required: true, id: 'token-input' });
  const tryIt = async () => {
    const before = token;
    token = input.value.trim();
    const answer = await api('GET', 'access').catch((error) => ({ error }));
    if (answer[what]) {
      storage.set('sessionStorage', 'tripline.token', token);
      access = answer;
      drawAccess();
      return true;
    }
    token = before;
    throw answer.error && answer.error.status !== 401 ? answer.error : new Error('This token is not accepted.');
  };
  const given = await ask(what === 'may_read' ? 'Reading needs a token' : 'This needs a token', [
    h('p', {}, h('label', { for: 'token-input' }, 'Token of tripline on ', location.host)),
    input,
    h('p', { class: 'dim' }, 'It is kept until this browser tab is closed.'),
  ], 'Use it', tryIt);
  return given ?? false;
}

/** Asks what may be done; if it cannot be asked what was known goes on. */
function loadAccess() {
  accessKnown = api('GET', 'access').then((answer) => { access = answer; }, () => {}).then(drawAccess);
}

function forgetToken() {
  token = null;
  storage.set('sessionStorage', 'tripline.token', null);
  loadAccess();
  connection.again();
  notify('The token is forgotten.');
}

/** A request that changes something. */
async function write(method, path, body) {
  for (;;) {
    if (!access.may_write && !(await askToken('may_write'))) throw new Error('This needs the token.');
    try {
      return await api(method, path, body);
    } catch (error) {
      if (error.status !== 401) throw error;
      access = { ...access, may_write: false };
    }
  }
}

/** What is fetched. `of`: the generations, as events name them, on which it depends. */
const parts = {
  status: { of: ['alerts', 'sources', 'sinks'] },
  rules: { of: ['rules'] },
  sinks: { of: ['sinks'] },
  outbox: { of: ['sinks'] },
  history: { of: ['history'] },
};
let generations = {};
const generationOf = (part) => part.of.map((name) => generations[name]).join();

/** Fetches a part until it is of the newest generation, once at a time. */
function refresh(name) {
  const part = parts[name];
  const { signal } = connection.stream;
  const fetchIt = async () => {
    do {
      part.generation = generationOf(part);
      // What may be done decides which buttons are made.
      [part.data] = await Promise.all([api('GET', name, null, signal), accessKnown]);
      part.onData?.(part.data);
      if (views[view].parts.includes(name)) views[view].draw();
    } while (part.generation !== generationOf(part));
  };
  part.running ??= fetchIt()
    .catch((error) => signal.aborted || connection.broken(error))
    .finally(() => { part.running = null; });
  return part.running;
}

/** Fetches what the view needs and is not of the newest generation. */
function refreshChanged() {
  for (const name of wanted()) {
    if (parts[name].generation !== generationOf(parts[name])) refresh(name);
  }
}

/** Rates, lags and the last sixty minutes grow old though nothing happens. */
function refreshAged() {
  if (!document.hidden && connection.live) wanted().forEach(refresh);
}

const wanted = () => new Set(['status', ...views[view].parts]);

// ---- The connection ----

/** Beats come every ten seconds: after so many milliseconds of silence nobody is there. */
const SILENCE = 25_000;
const LONGEST_WAIT = 30;
let skew = 0; // of the daemon's clock against ours, in milliseconds

/** The time of the daemon. It stands still while nothing is heard: what is shown is of that moment. */
export const now = () => (connection.since ? connection.since.getTime() : Date.now()) + skew;

const connection = {
  live: false,
  since: null, // since when it is lost
  why: '',
  heard: new Date(),
  stream: null, // ends the stream that is read, and what is fetched meanwhile
  again() {}, // connects now: ends a wait, or begins the stream anew

  /** Holds the stream of events for ever. */
  async hold() {
    for (let wait = 1; ; ) {
      this.stream = new AbortController();
      this.again = () => this.stream.abort();
      try {
        await this.listen(this.stream);
        wait = 1;
      } catch (error) {
        // What is still fetched would hang as long as the network lets it.
        this.stream.abort();
        if (error.name === 'AbortError') continue;
        if (this.live) wait = 1;
        this.failed(error);
        if (error.status === 401) {
          // Who has no token is asked once, and then asks by himself.
          if (!(await askToken('may_read'))) await this.pause(null);
          continue;
        }
        await this.pause(wait);
        wait = Math.min(2 * wait, LONGEST_WAIT);
      }
    }
  },

  async listen(stream) {
    let timer;
    const heard = () => {
      this.heard = new Date();
      clearTimeout(timer);
      timer = setTimeout(() => stream.abort(new Error(`nothing was heard for ${SILENCE / 1000}s`)), SILENCE);
    };
    const began = Date.now();
    try {
      heard();
      const response = await fetch('api/v1/events', { headers: authorization(), signal: stream.signal, cache: 'no-store' });
      if (!response.ok) throw new ApiError(response.status, `events: answered ${response.status}`);
      heard();
      this.found();
      await readEvents(response.body, heard, changed);
    } finally {
      clearTimeout(timer);
    }
    // The server ends streams after some minutes; one that ends at once is a failure, and not to be begun in a loop.
    if (Date.now() - began < 1000) throw new Error('the stream of events ended at once');
  },

  found() {
    // What may be done can be otherwise than before.
    if (this.since) loadAccess();
    Object.assign(this, { live: true, since: null, why: '' });
    // Another process may count its generations from anew.
    generations = {};
    for (const part of Object.values(parts)) part.generation = null;
    refreshChanged();
    drawConnection();
  },

  failed(error) {
    this.since ??= this.heard;
    Object.assign(this, { live: false, why: error.message });
    drawConnection();
  },

  /** What is shown could not be fetched: a stream that still beats says nothing then. */
  broken(error) {
    this.failed(error);
    this.stream.abort(error);
  },

  /** Waits so many seconds, or for ever, or until somebody says that it is worth a try. */
  pause(seconds) {
    return new Promise((done) => {
      const timer = seconds && setTimeout(done, seconds * 1000);
      this.again = () => { clearTimeout(timer); done(); };
    });
  },
};

/** Reads server-sent events. Not an EventSource, which cannot send an Authorization header. */
async function readEvents(body, heard, changed) {
  let rest = '';
  // Streams are not iterable by themselves in every browser.
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read; !(read = await reader.read()).done; ) {
    heard();
    const blocks = (rest + read.value).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split('\n');
      const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
      if (lines.includes('event: changed') && data) changed(JSON.parse(data));
    }
  }
}

function changed(event) {
  generations = event;
  refreshChanged();
}

// ---- The head ----

/** Everything that is wrong with tripline itself, in sentences, as `tripline status` says it. */
function problemsOf(status) {
  const ofSource = ({ name, problems }) => problems.map((problem) => `source ${name}: ${problem}`);
  const ofSink = ({ name, suspended, failure, refusal, dead }) => [
    suspended && `sink ${name} is suspended: ${suspended}`,
    !suspended && failure && `sink ${name} failed last: ${failure}`,
    refusal && `sink ${name} refuses: ${refusal}`,
    dead > 0 && `sink ${name} refused ${plural(dead, 'delivery')} for good`,
  ].filter(Boolean);
  return [...status.problems, ...status.sources.flatMap(ofSource), ...status.sinks.flatMap(ofSink)];
}

const openCount = (status) => status.alerts.length + status.more_alerts;

function verdictOf(status) {
  const [open, problems] = [openCount(status), problemsOf(status).length];
  const bySeverity = STATUSES
    .map((name) => [status.alerts.filter((alert) => alert.status === name).length, name])
    .filter(([n]) => n > 0 && n < open)
    .map(([n, name]) => `${number(n)} ${name}`);
  const alerts = `${plural(open, 'alert')} open${bySeverity.length ? ` (${bySeverity.join(', ')})` : ''}`;
  const said = [open > 0 && alerts, problems > 0 && plural(problems, 'problem')].filter(Boolean);
  return said.join(', ') || 'all quiet';
}

function drawHead() {
  const status = parts.status.data;
  if (!status) return;
  const worst = openCount(status) > 0 ? statusClass(status.alerts[0]?.status) : 'ok';
  const verdict = byId('verdict');
  verdict.className = problemsOf(status).length && worst === 'ok' ? 'warning' : worst;
  verdict.textContent = `${connection.live ? '' : `as of ${timeOf(connection.since)}: `}${verdictOf(status)}`;
  byId('scope').textContent = visible(status.scope);
  show(byId('build'), `${status.version}, up `, ago(status.started), `, ${plural(status.rules, 'rule')}, process ${status.process}`);
  document.title = visible(`${connection.live ? `(${openCount(status)})` : 'not connected:'} tripline ${status.scope}`);
  drawProblems(problemsOf(status));
  drawCounts(status);
}

/** More of them would push what they are about out of sight. */
const PROBLEMS_SHOWN = 4;

function drawProblems(problems) {
  const section = byId('problems');
  section.hidden = problems.length === 0;
  const list = (some) => h('ul', {}, some.map((problem) => h('li', {}, clip(problem, 1000))));
  const more = problems.slice(PROBLEMS_SHOWN);
  show(section, list(problems.slice(0, PROBLEMS_SHOWN)),
    more.length > 0 && h('details', {}, h('summary', {}, `${number(more.length)} more`), list(more)));
}

function drawCounts(status) {
  const dead = status.sinks.reduce((sum, sink) => sum + sink.dead, 0);
  const label = (tab, name, n, what) =>
    show(byId(`tab-${tab}`), name, n > 0 && h('span', { class: 'badge' }, number(n), h('span', { class: 'unseen' }, ` ${what}`)));
  label('alerts', 'Alerts', openCount(status), 'open');
  label('sinks', 'Sinks', dead, 'dead letters');
}

function drawConnection() {
  const { live, since, why } = connection;
  document.body.classList.toggle('stale', !live);
  const state = byId('connection');
  state.className = live ? 'live' : 'gone';
  show(state, h('span', { class: 'dot', 'aria-hidden': 'true' }), live ? 'connected' : 'not connected');
  const lost = byId('lost');
  if (!live && lost.hidden) announce(`Not connected since ${timeOf(since)}.`);
  if (live && !lost.hidden) announce('Connected again.');
  lost.hidden = live;
  show(lost, !live && [
    h('strong', {}, `Not connected since ${timeOf(since)}`), `: ${why}. What is shown is as it was then. `,
    button('Try now', () => connection.again()),
  ]);
  drawHead();
}

function drawAccess() {
  const shown = byId('token');
  shown.hidden = !token && !access.has_token;
  shown.textContent = token ? 'Forget token' : 'Token';
  shown.onclick = token ? forgetToken : () => askToken('may_write');
}

/** Says what came and went since the last time. */
function announceChanges(before, after) {
  if (!before) return;
  const [old, open] = [before, after].map(({ alerts }) => new Map(alerts.map((alert) => [alert.alert_key, alert])));
  const came = after.alerts.filter(({ alert_key, status }) => old.get(alert_key)?.status !== status);
  const ended = before.alerts.filter(({ alert_key }) => !open.has(alert_key));
  const say = (alerts, one, many) => (alerts.length > 2 ? [`${alerts.length} ${many}.`] : alerts.map(one));
  const said = [
    ...say(came, ({ status, summary }) => `${status}: ${clip(summary, 200)}.`, 'alerts are new or changed'),
    ...say(ended, ({ summary }) => `Ended: ${clip(summary, 200)}.`, 'alerts ended'),
  ];
  if (said.length) announce(said.join(' '));
}

let shownStatus = null;

parts.status.onData = (status) => {
  skew = Date.parse(status.at) - Date.now();
  if (shownStatus && shownStatus.version !== status.version) {
    notify(`tripline is now version ${status.version}: reload the page to have what belongs to it.`, { stays: true });
  }
  announceChanges(shownStatus, status);
  shownStatus = status;
  drawHead();
};

// ---- Alerts ----

const COLUMNS = ['Severity', 'Since', 'Value', 'Summary', 'Rule and labels'];
const CHIPS = 6;

/** Words that all have to be found, in whatever order. */
function matcher(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  return (text) => words.every((word) => text.toLowerCase().includes(word));
}

const labelsOf = (alert) => Object.entries(alert.labels);

const alertText = (alert) => [
  alert.status, alert.rule, alert.summary, alert.alert_key, alert.silence && 'silenced', alert.held && 'held',
  ...labelsOf(alert).map((label) => label.join('=')),
].join(' ');

const filterBox = (label, oninput) => h('input', {
  type: 'search', class: 'filter', placeholder: 'Filter  ( / )', 'aria-label': label, autocomplete: 'off', oninput,
});

function alertsView(panel) {
  const filter = filterBox('Filter alerts', () => { matches = matcher(filter); applyFilter(); });
  let matches = () => true;
  const count = h('span', { class: 'dim', role: 'status' });
  const list = h('ol', { class: 'alerts' });
  const more = h('p', { class: 'dim' });
  const build = (alert, node) => {
    const item = alertItem(alert, node?.firstChild.open);
    item.hidden = !matches(alertText(alert));
    return item;
  };
  const alerts = new Keyed(list, ({ alert_key }) => alert_key, build);
  const silences = silencesTable();

  function applyFilter() {
    for (const [node, alert] of alerts.entries()) node.hidden = !matches(alertText(alert));
    drawCount();
  }
  function drawCount() {
    const all = parts.status.data?.alerts ?? [];
    const shown = all.filter((alert) => matches(alertText(alert))).length;
    count.textContent = filter.value.trim() ? `${number(shown)} of ${number(all.length)} shown` : '';
  }

  panel.append(
    heading('Open alerts', filter, count),
    h('div', { class: 'columns', 'aria-hidden': 'true' }, COLUMNS.map((name) => h('span', {}, name))),
    list, more, h('h2', {}, 'Silences'), silences.element);

  return {
    parts: ['status'],
    draw() {
      const status = parts.status.data;
      if (!status) return;
      alerts.update(status.alerts);
      drawCount();
      more.textContent = status.more_alerts > 0 ? `And ${number(status.more_alerts)} more that are not sent here.`
        : status.alerts.length === 0 ? 'No alert is open.' : '';
      silences.update(status.silences);
    },
    reveal(key) {
      const node = alerts.node(key);
      if (!node) return;
      node.hidden = false;
      node.firstChild.open = true;
      node.firstChild.firstChild.focus({ preventScroll: true });
      node.scrollIntoView({ block: 'center' });
    },
  };
}

/** Shows one of the open alerts. */
export function revealAlert(key) {
  location.hash = '#alerts';
  // The browser tells of the new hash later.
  route();
  views.alerts.reveal(key);
}

function alertItem(alert, open) {
  const body = h('div', { class: 'body' }, open && alertBody(alert));
  // A thousand bodies that nobody opens are never made.
  const ontoggle = ({ target }) => {
    const place = target.lastChild;
    if (target.open && !place.hasChildNodes()) place.append(...alertBody(alert));
  };
  const line = h('summary', {},
    severity(alert.status),
    h('span', { class: 'since' }, ago(alert.since)),
    h('span', { class: 'value' }, figure(alert)),
    h('span', { class: 'what' },
      h('span', { class: 'text' }, clip(alert.summary, 600)),
      h('span', { class: 'chips' }, tags(alert), h('span', { class: 'rule' }, alert.rule), chips(alert))));
  return h('li', {}, h('details', { ontoggle, open }, line, body));
}

function figure({ value, count }) {
  if (value == null || value === count) return number(count);
  return [number(value), dim(plural(count, 'match'))];
}

const tags = ({ silence, held, orphan, untold }) =>
  [silence && 'silenced', held && !silence && 'held back', orphan && 'rule gone', untold && !silence && !held && 'untold']
    .filter(Boolean).map(tag);

const chip = (...children) => h('span', { class: 'chip' }, children);

function chips(alert) {
  // That it is of this machine is said by the head.
  const { scope } = parts.status.data;
  const labels = labelsOf(alert).filter(([name, value]) => name !== 'instance' || value !== scope);
  return [
    labels.slice(0, CHIPS).map(([name, value]) =>
      chip(dim(clip(name, 32), '='), clip(value, 48))),
    labels.length > CHIPS && dim(`and ${labels.length - CHIPS} more`),
  ];
}

function alertBody(alert) {
  const { description, lines, last_lines: last } = alert;
  return [
    description && description !== lines.join('\n') && h('p', { class: 'description' }, description),
    facts([
      ['Reason', alert.reason],
      ['Since', exactTime(alert.since)],
      ['Changed', alert.changed !== alert.since && exactTime(alert.changed)],
      ['Ends', alert.ends ? [`at ${timeOf(alert.ends)} if quiet, in `, moving(alert.ends, 'left')] : 'not by quiet alone'],
      ['Untold', alert.untold],
      ['Silence', alert.silence],
      ['Runbook', alert.runbook && webLink(alert.runbook)],
      ['Labels', h('span', { class: 'labels' }, labelsOf(alert).map(([name, value]) => h('code', {}, `${name}=${value}`)))],
      ['Key', [h('code', {}, alert.alert_key), ' ', button('Copy', () => copy(alert.alert_key), { 'aria-label': 'Copy the key' })]],
    ]),
    logLines('First lines', lines),
    logLines('Newest lines', last),
    h('div', { class: 'actions' }, access.has_token
      ? [button('Silence…', () => silence(alert)), button('Resolve…', () => resolve(alert))]
      : dim('Read only: this tripline has no token configured.')),
  ].filter(Boolean);
}

const logLines = (title, lines) => lines.length > 0 && h('figure', {},
  h('figcaption', {}, title),
  h('pre', { tabindex: 0, role: 'region', 'aria-label': title }, lines.map((line) => h('code', {}, line, '\n'))));

/** A link to the web, with its host to be seen before it is clicked; what is none stays text. */
function webLink(text) {
  const url = URL.canParse(text) ? new URL(text) : {};
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return text;
  const link = h('a', { href: url.href, target: '_blank', rel: 'noreferrer noopener' }, clip(text, 120));
  return [link, dim(` at ${url.host}`)];
}

const resolve = (alert) => ask('Resolve this alert?', [
  h('p', { class: 'quoted' }, clip(alert.summary, 300)),
  h('p', { class: 'dim' }, 'Sinks are told that it is over. New lines can open it again.'),
], 'Resolve', async () => {
  const { resolved } = await write('POST', 'alerts/resolve', { which: alert.alert_key, labels: [], all: false });
  notify(`${plural(resolved.length, 'alert')} resolved.`);
  refresh('status');
});

// ---- Silences ----

function silencesTable() {
  return new Table('Silences in force or to come', 'No silence.', [
    { head: 'Silence', cell: ({ id }) => String(id) },
    { head: 'Terms', cell: ({ terms }) => h('span', { class: 'chips' }, terms.map((term) => chip(clip(term, 80)))) },
    { head: 'Time left', cell: ({ from, until }) => (Date.parse(from) > now() ? ['begins ', timeOf(from)] : moving(until, 'left')) },
    { head: 'Comment', wide: true, cell: ({ comment }) => clip(comment, 200) },
    { head: 'End', cell: endButton },
  ], ({ id }) => id, (one) => facts([
    ['From', exactTime(one.from)],
    ['Until', exactTime(one.until)],
    ['Terms', h('span', { class: 'labels' }, one.terms.map((term) => h('code', {}, term)))],
    ['Comment', one.comment],
  ]));
}

const endButton = (one) =>
  access.has_token && button('End…', () => endSilence(one), { 'aria-label': `End silence ${one.id}` });

const endSilence = ({ id, terms }) => ask(`End silence ${id}?`, [
  h('p', { class: 'quoted' }, clip(terms.join(', '), 300)),
  h('p', { class: 'dim' }, 'Alerts that it held back and that are still open are told then.'),
], 'End it', async () => {
  await write('DELETE', `silences/${encodeURIComponent(id)}`);
  notify(`Silence ${id} ended.`);
  refresh('status');
});

/** Names of the labels that make the alert's key. Of a rule that is not known all labels are taken. */
async function identity(alert) {
  if (!parts.rules.data) await refresh('rules');
  const rule = parts.rules.data?.rules.find(({ name }) => name === alert.rule);
  return rule ? rule.by : Object.keys(alert.labels);
}

/** One term to be edited. An input would drop line breaks and obey bidirectional controls: such a term is only shown. */
function termRow(term) {
  const shown = visible(term).replaceAll('\n', '\\u{a}');
  const fixed = shown !== term;
  const input = h('input', { 'aria-label': 'Term', readonly: fixed, spellcheck: 'false', autocomplete: 'off' });
  input.value = shown;
  const row = h('div', { class: 'term' }, input, button('Remove', () => row.remove(), { 'aria-label': 'Remove this term' }));
  row.term = () => (fixed ? term : input.value);
  return row;
}

const DURATIONS = [['30m', 1800], ['1h', 3600], ['2h', 7200], ['8h', 28800], ['24h', 86400]];

/** For how long: a choice of durations, or a local time. */
function durationChoice() {
  const until = h('input', { type: 'datetime-local', 'aria-label': 'Until' });
  const radio = (value, text, checked) => h('label', {}, h('input', { type: 'radio', name: 'duration', value, checked }), ` ${text}`);
  const choice = h('fieldset', { class: 'durations' }, h('legend', {}, 'For'),
    DURATIONS.map(([text, seconds]) => radio(seconds, text, seconds === 7200)), radio('until', 'until'), until);
  until.oninput = () => { choice.querySelector('[value=until]').checked = true; };
  const seconds = () => {
    const { value } = choice.querySelector(':checked');
    return value === 'until' ? Math.round((new Date(until.value) - Date.now()) / 1000) : Number(value);
  };
  return { choice, seconds };
}

async function silence(alert) {
  const names = (await identity(alert)).filter((name) => name !== 'instance' && name in alert.labels);
  const terms = h('div', {}, [`rule=${alert.rule}`, ...names.map((name) => `${name}=${alert.labels[name]}`)].map(termRow));
  const add = () => {
    terms.append(termRow(''));
    terms.lastChild.firstChild.focus();
  };
  const { choice, seconds } = durationChoice();
  const comment = h('input', { placeholder: 'why, and who' });
  const work = async () => {
    const given = [...terms.children].map((row) => row.term()).filter((term) => term !== '');
    const body = { terms: given, seconds: seconds(), comment: comment.value };
    if (given.length === 0) throw new Error('At least one term is needed.');
    if (!(body.seconds > 0)) throw new Error('The time has to be in the future.');
    const { silence: made, covers, doubts } = await write('POST', 'silences', body);
    notify([`Silence ${made.id} covers ${plural(covers, 'open alert')}.`, ...doubts].join(' '), { stays: doubts.length > 0 });
    refresh('status');
  };
  await ask('Silence', [
    h('fieldset', {}, h('legend', {}, 'What fits all of these'), terms, button('Add a term', add)),
    h('p', { class: 'dim' }, 'name=value, name!=value, name=~regex, name!~regex, severity<=warning'),
    choice,
    h('label', { class: 'field' }, 'Comment ', comment),
  ], 'Silence', work);
}

// ---- Rules ----

/** Matches of the last hour, a bar for each minute, the newest at the right. */
function sparkline(minutes) {
  const most = Math.max(1, ...minutes);
  const first = 60 - minutes.length;
  const bars = minutes.map((n, i) => (n ? `M${first + i} 16v${-Math.max(1, (15 * n) / most)}h.8V16z` : '')).join('');
  const total = minutes.reduce((sum, n) => sum + n, 0);
  const label = total ? `${number(total)} in ${minutes.length} minutes, at most ${number(most)} in one` : 'none';
  return svg('svg', { class: 'sparkline', viewBox: '0 0 60 16', preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    svg('title', {}, label), svg('path', { class: 'base', d: 'M0 15.8h60' }), svg('path', { d: bars }));
}

const LEFT_OUT = ['dismissed', 'unreadable', 'late', 'overflow', 'forgotten'];
const leftOut = (rule) => LEFT_OUT.filter((what) => rule[what] > 0).map((what) => `${number(rule[what])} ${what}`).join(', ');

const perMatch = ({ tried, matches }) => (matches > 0 ? number(Math.round((tried / matches) * 10) / 10) : tried > 0 ? '∞' : '');

function rulesView(panel) {
  let matches = () => true;
  const filter = filterBox('Filter rules', () => { matches = matcher(filter); draw(); });
  const count = h('span', { class: 'dim', role: 'status' });
  const table = new Table('Rules in force, and what they took', 'No rule.', [
    { head: 'Rule', cell: ({ name, kind, own }) => [name, kind === 'change' && tag('change'), own && tag('own')] },
    { head: 'Last hour', cell: ({ minutes }) => sparkline(minutes) },
    { head: 'Matches', right: true, cell: (rule) => number(rule.matches) },
    { head: 'Last match', right: true, wide: true, cell: ({ last_match: last }) => (last ? ago(last) : '') },
    { head: 'Open', right: true, cell: ({ open }) => (open ? number(open) : '') },
    { head: 'Tried', right: true, wide: true, cell: ({ tried }) => number(tried) },
    { head: 'Per match', right: true, wide: true, cell: perMatch },
    { head: 'Not counted', wide: true, cell: leftOut },
  ], ({ name }) => name, (rule) => facts([
    ['Condition', h('code', {}, rule.condition)],
    ['Sources', rule.sources.join(', ')],
    ['By', rule.by.join(', ') || 'nothing: one alert for the rule'],
    ['Summary', h('code', {}, rule.summary)],
    ['Keys', number(rule.keys)],
    ['Recoveries', rule.recoveries > 0 && number(rule.recoveries)],
    ['Last match', rule.last_match && exactTime(rule.last_match)],
  ]));
  panel.append(heading('Rules', filter, count), table.element);

  function draw() {
    const all = parts.rules.data?.rules;
    if (!all) return;
    const shown = all.filter((rule) => matches([rule.name, ...rule.sources, ...rule.by, rule.summary].join(' ')));
    // Sorting is stable: but for its own rules the order is that of tripline.
    table.update(shown.sort((a, b) => a.own - b.own));
    count.textContent = filter.value.trim() ? `${number(shown.length)} of ${number(all.length)} shown` : '';
  }
  return { parts: ['rules'], draw };
}

// ---- Sources ----

const nonzero = (n, say) => (n > 0 ? say(n) : '');
/** A word of state with a shape: `good`, `bad`, or `idle`, which is neither. */
const state = (word, kind) => shaped(`state ${kind}`, word);

function sourceState({ problems, behind_files: behind }) {
  if (problems.length > 0) return state('problem', 'bad');
  return behind > 0 ? state('behind', 'bad') : state('ok', 'good');
}

const filesOf = ({ files, behind_files: behind }) =>
  (behind > 0 ? `${number(behind)} of ${number(files)} behind` : number(files));

const worstFiles = (files) => files.length > 0 && h('table', { class: 'inner' },
  h('caption', {}, 'Files that are furthest behind'),
  h('thead', {}, h('tr', {},
    ['File', 'Unread', 'Lag', 'Lost'].map((head, i) => h('th', { scope: 'col', class: i > 0 && 'right' }, head)))),
  h('tbody', {}, files.map((file) => h('tr', {},
    h('th', { scope: 'row' }, h('code', {}, file.path)),
    [nonzero(file.unread_bytes, bytes), nonzero(file.lag_seconds, span), nonzero(file.lost_bytes, bytes)]
      .map((text) => h('td', { class: 'right' }, text))))));

function sourcesView(panel) {
  const table = new Table('Sources, and how far they are read', 'No source.', [
    { head: 'Source', cell: ({ name }) => name },
    { head: 'State', cell: sourceState },
    { head: 'Files', right: true, wide: true, cell: filesOf },
    { head: 'Rate', right: true, cell: (source) => nonzero(source.bytes_per_second, (n) => `${bytes(n)}/s`) },
    { head: 'Lag', right: true, cell: (source) => nonzero(source.lag_seconds, span) },
    { head: 'Unread', right: true, wide: true, cell: (source) => nonzero(source.unread_bytes, bytes) },
    { head: 'Lost', right: true, wide: true, cell: (source) => nonzero(source.lost_bytes, bytes) },
    { head: 'Last read', right: true, wide: true, cell: ({ last_read: last }) => (last ? ago(last) : 'never') },
  ], ({ name }) => name, (source) => [
    source.problems.length > 0 && h('ul', { class: 'problem' }, source.problems.map((problem) => h('li', {}, problem))),
    facts([['Read in all', bytes(source.read_bytes)], ['Last read', source.last_read && exactTime(source.last_read)]]),
    worstFiles(source.worst),
  ]);
  panel.append(heading('Sources'), table.element);
  return {
    parts: ['status'],
    draw() {
      if (parts.status.data) table.update(parts.status.data.sources);
    },
  };
}

// ---- Sinks ----

function sinkState(sink) {
  if (sink.waits) return state('waits, not configured', 'idle');
  if (sink.removed) return state('removed, told the rest', 'idle');
  if (sink.suspended) return state('suspended', 'bad');
  if (sink.failing_seconds != null) return state(`failing for ${age(sink.failing_seconds)}`, 'bad');
  if (sink.refused > 0) return state(`refusing, ${number(sink.refused)} in a row`, 'bad');
  return state('ok', 'good');
}

/** What the sink said last, if that is why it is in its state. */
const sinkWhy = ({ suspended, failure, refusal }) => suspended ?? failure ?? refusal;

const inAll = (sink) => ['accepted', 'retried', 'suspends', 'coalesced', 'folded', 'expired', 'late', 'letters']
  .filter((what) => sink[what] > 0).map((what) => `${number(sink[what])} ${what}`).join(', ');

const lastAccepted = ({ accepted_seconds: last }) => (last == null ? 'never' : `${age(last)} ago`);

function sinksTable() {
  return new Table('Sinks, and what they are owed', 'No sink.', [
    { head: 'Sink', cell: ({ name }) => name },
    { head: 'Type', wide: true, cell: ({ kind }) => kind },
    { head: 'State', cell: (sink) => [sinkState(sink), sinkWhy(sink) && h('span', { class: 'why' }, clip(sinkWhy(sink), 160))] },
    { head: 'Queued', right: true, cell: ({ queued }) => nonzero(queued, number) },
    { head: 'Oldest', right: true, wide: true, cell: ({ queued, oldest_seconds: oldest }) => (queued > 0 ? span(oldest) : '') },
    { head: 'Next try', right: true, wide: true, cell: ({ next_seconds: next }) => (next == null ? '' : `in ${span(next)}`) },
    { head: 'Last accepted', right: true, wide: true, cell: lastAccepted },
    { head: 'Dead', right: true, cell: ({ dead }) => nonzero(dead, number) },
  ], ({ name }) => name, (sink) => facts([
    ['Suspended', sink.suspended],
    ['Failed last', sink.failure],
    ['Refused last', sink.refusal],
    ['Accepted last', sink.accepted_note],
    ['In flight', nonzero(sink.in_flight, number)],
    ['Since the start', inAll(sink) || 'nothing'],
  ]));
}

const aboutOf = (delivery) => [
  severity(delivery.status),
  h('span', { class: 'what' },
    h('span', { class: 'text' }, clip(delivery.summary, 300)),
    dim(`${delivery.number} to ${delivery.sink}, of `, at(delivery.time),
      delivery.attempted && ', attempted', `, about ${clip(delivery.about, 80)}`),
    delivery.why && h('span', { class: 'why' }, delivery.why)),
];

const OUTBOX = [
  { verb: 'Retry', path: 'outbox/retry', what: 'The sink is told again, now.', came: 'to be sent again' },
  { verb: 'Drop', path: 'outbox/drop', what: 'The sink is never told. This cannot be undone.', came: 'dropped' },
];

function askOutbox({ verb, path, what, came }, deliveries) {
  const [{ number: first, summary }] = deliveries;
  const title = `${verb} ${deliveries.length === 1 ? `dead letter ${first}` : plural(deliveries.length, 'dead letter')}?`;
  return ask(title, [h('p', { class: 'quoted' }, clip(summary, 300)), h('p', { class: 'dim' }, what)], verb, async () => {
    const { done } = await write('POST', path, { numbers: deliveries.map((delivery) => delivery.number) });
    notify(`${number(done.length)} ${came}.`);
    ['outbox', 'sinks', 'status'].forEach(refresh);
  });
}

const outboxButtons = (deliveries, suffix) => access.has_token && h('span', { class: 'actions' },
  OUTBOX.map((change) => button(`${change.verb}${suffix}`, () => askOutbox(change, deliveries))));

/** A list of deliveries under a heading. */
function deliveryList(title, none, buttons) {
  const list = h('ol', { class: 'deliveries' });
  const row = (delivery) => h('li', {}, aboutOf(delivery), buttons && outboxButtons([delivery], '…'));
  const rows = new Keyed(list, (delivery) => delivery.number, row);
  const head = h('div', {});
  const rest = h('p', { class: 'dim' });
  return {
    element: h('section', {}, head, list, rest),
    update(deliveries, more) {
      const all = buttons && deliveries.length > 1 && outboxButtons(deliveries, ` all ${number(deliveries.length)}…`);
      show(head, heading(title, all));
      rows.update(deliveries);
      rest.textContent = more > 0 ? `And ${number(more)} more.` : deliveries.length === 0 ? none : '';
    },
  };
}

function sinksView(panel) {
  const table = sinksTable();
  const dead = deliveryList('Dead letters', 'No dead letter.', true);
  const owed = deliveryList('Outbox', 'Nothing is owed.', false);
  panel.append(heading('Sinks'), table.element, dead.element, owed.element);
  return {
    parts: ['sinks', 'outbox'],
    draw() {
      const [sinks, outbox] = [parts.sinks.data, parts.outbox.data];
      if (sinks) table.update(sinks.sinks);
      if (outbox) {
        dead.update(outbox.dead, outbox.more_dead);
        owed.update(outbox.owed, outbox.more_owed);
      }
    },
  };
}

// ---- Views ----

/** A view whose code is fetched when it is first shown. */
function later(module, partsOf) {
  return (panel) => {
    let loaded = null;
    let loading = null;
    const load = async () => {
      try {
        const { view: make } = await import(module);
        panel.replaceChildren();
        loaded = make(panel);
        loaded.draw(parts);
      } catch (error) {
        // Browsers remember a module that failed: only the reader can try again.
        show(panel, h('p', { class: 'problem' }, `This view could not be loaded: ${error.message}. Reload the page.`));
      }
    };
    return {
      parts: partsOf,
      draw() {
        if (loaded) loaded.draw(parts);
        else loading ??= load();
      },
    };
  };
}

const makers = {
  alerts: alertsView,
  timeline: later('./timeline.js', ['history']),
  rules: rulesView,
  sources: sourcesView,
  sinks: sinksView,
  playground: later('./playground.js', []),
};
const names = Object.keys(makers);
const views = Object.fromEntries(names.map((name) => [name, makers[name](byId(`${name}-panel`))]));
let view = 'alerts';

/** Shows the view that the address names; what else stands there changes nothing. */
function route() {
  const name = location.hash.slice(1);
  if (names.includes(name)) view = name;
  for (const each of names) {
    const [tab, selected] = [byId(`tab-${each}`), each === view];
    byId(`${each}-panel`).hidden = !selected;
    tab.setAttribute('aria-selected', String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
  views[view].draw();
  refreshChanged();
}

function walkTabs(event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -names.length, End: names.length };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const at = names.indexOf(view);
  const next = Math.abs(step) === 1 ? (at + step + names.length) % names.length : step < 0 ? 0 : names.length - 1;
  location.hash = `#${names[next]}`;
  byId(`tab-${names[next]}`).focus();
}

function shortcut(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return;
  const { target, key } = event;
  if (key === 'Escape' && target.type === 'search') {
    target.value = '';
    target.oninput();
    return;
  }
  if (target.closest('input, textarea, select')) return;
  if (key === '?') showKeys();
  else if (key === '/') {
    event.preventDefault();
    byId(`${view}-panel`).querySelector('.filter')?.focus();
  } else if (names[Number(key) - 1]) location.hash = `#${names[Number(key) - 1]}`;
}

function start() {
  setTheme(storage.get('localStorage', 'tripline.theme'));
  byId('theme').onclick = toggleTheme;
  byId('help').onclick = showKeys;
  document.querySelector('[role=tablist]').onkeydown = walkTabs;
  addEventListener('keydown', shortcut);
  addEventListener('hashchange', route);
  loadAccess();
  connection.hold();
  route();
  setInterval(tick, 1000);
  setInterval(refreshAged, 15_000);
}

start();
