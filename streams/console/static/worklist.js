/* Beyond the links and forms of the worklist: keys, rows on demand, what was seen, live line. */

const list = document.querySelector("#list");
const body = document.querySelector("#rows");
const STAYS = 2000; // ms on screen after which a row counts as seen
const KEEP = 300; // rows in the document at most
const SPOKEN = 60000; // ms between two announcements

/* What was seen, kept over pages of this tab until it is signed off. */
const seen = new Set(JSON.parse(sessionStorage.getItem("seen") ?? "[]"));
function see(row) {
  seen.add(row.dataset.seen);
  sessionStorage.setItem("seen", JSON.stringify([...seen].slice(-1500)));
}
document.querySelector("#sign-off")?.addEventListener("submit", (event) => {
  for (const old of event.target.querySelectorAll("input.seen")) old.remove();
  for (const id of seen) {
    const field = document.createElement("input");
    event.target.append(Object.assign(field, { type: "hidden", name: "seen", value: id, className: "seen" }));
  }
  sessionStorage.removeItem("seen");
});

if (list) start();

function start() {
  const total = Number(list.dataset.rows);
  const timers = new Map();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(timers.get(target));
      if (isIntersecting) timers.set(target, setTimeout(() => see(target), STAYS));
    }
  });
  const rows = () => [...body.querySelectorAll("tr.row")];
  const rowOf = (key) => body.querySelector(`tr.row[data-key="${CSS.escape(key)}"]`);
  const place = (row) => Number(row.dataset.place);
  const inner = (row) => (row.nextElementSibling?.classList.contains("peek") ? row.nextElementSibling : null);
  rows().forEach((row) => sight.observe(row));

  /* Rows on demand: blank rows stand for those before and after, at the mean height. */
  const top = blank(), bottom = blank();
  body.prepend(top);
  body.append(bottom);
  let height = 44, busy = false, at = Number(list.dataset.position);
  function blank(name = "blank") {
    const row = document.createElement("tr");
    row.className = name;
    row.ariaHidden = name === "blank";
    row.append(document.createElement("td"));
    row.firstChild.colSpan = list.tHead.rows[0].cells.length;
    return row;
  }
  const tall = (row, pixels) => { row.hidden = pixels <= 0; row.firstChild.height = Math.round(Math.min(pixels, 1e7)); };
  function measure() {
    const all = rows();
    if (!all.length) return;
    height = Math.max(20, (all.at(-1).getBoundingClientRect().bottom - all[0].getBoundingClientRect().top) / all.length);
    tall(bottom, (total - 1 - place(all.at(-1))) * height);
  }
  /* Change rows while the anchor keeps its place on the screen. */
  function anchored(anchor, change) {
    const before = anchor.getBoundingClientRect().top;
    change();
    if (anchor.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - before);
  }
  async function fetched(parameters) {
    const query = new URLSearchParams(list.dataset.query);
    query.set("position", at);
    for (const [name, value] of Object.entries(parameters)) query.set(name, value);
    const answer = await fetch(`/desk/rows?${query}`);
    if (!answer.ok) throw new Error(answer.status);
    const part = document.createElement("template");
    part.innerHTML = `<table>${await answer.text()}</table>`;
    return [...part.content.querySelectorAll("tr.row")].filter((row) => !rowOf(row.dataset.key));
  }
  const drop = (row) => { inner(row)?.remove(); sight.unobserve(row); row.remove(); };
  const held = (row) => row.contains(document.activeElement) || row.classList.contains("sel") || inner(row);
  async function load(parameters, put) {
    if (busy) return;
    busy = true;
    list.setAttribute("aria-busy", "true");
    try {
      const more = await fetched(parameters);
      const anchor = rows().find((row) => row.getBoundingClientRect().bottom > 100) ?? rows()[0];
      anchored(anchor, () => {
        put(more);
        tall(top, place(rows()[0]) * height);
        measure();
      });
      more.forEach((row) => sight.observe(row));
    } catch {
      /* what is there stays; the next scroll asks again */
    } finally {
      busy = false;
      list.removeAttribute("aria-busy");
    }
  }
  async function extend(down) {
    const all = rows();
    const edge = down ? all.at(-1) : all[0];
    if (!edge || (down ? place(edge) + 1 >= total : place(edge) === 0)) return;
    await load(down ? { after: edge.dataset.key } : { before: edge.dataset.key }, (more) => {
      if (down) bottom.before(...more);
      else top.after(...more);
      const now = rows();
      const over = down ? now.slice(0, Math.max(0, now.length - KEEP)) : now.slice(KEEP);
      if (!over.some(held)) over.forEach(drop);
    });
  }
  const jump = (to) => load({ first: Math.max(0, Math.min(to, total - 1) - 20) }, (more) => {
    if (!more.length) return;
    rows().forEach(drop);
    top.after(...more);
  });
  function look() {
    if (busy) return;
    const all = rows();
    const first = all[0]?.getBoundingClientRect(), last = all.at(-1)?.getBoundingClientRect();
    if (!first) return;
    if (last.bottom < -innerHeight || first.top > 2 * innerHeight) {
      const head = body.getBoundingClientRect().top;
      jump(Math.floor(-head / height));
    } else if (last.bottom < 2 * innerHeight) extend(true);
    else if (first.top > -innerHeight) extend(false);
  }
  if (total > rows().length) {
    measure();
    anchored(rows()[0], () => tall(top, place(rows()[0]) * height));
    addEventListener("scroll", () => requestAnimationFrame(look), { passive: true });
    document.querySelector(".pages").hidden = true;
  } else [top, bottom].forEach((row) => row.remove());

  /* Keys, and the row in hand. */
  const inHand = () => body.querySelector("tr.sel");
  function hold(row) {
    inHand()?.classList.remove("sel");
    row.classList.add("sel");
  }
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr.row");
    if (row) hold(row);
  });
  async function step(by) {
    const all = rows();
    let to = all.indexOf(inHand()) + by;
    if (to >= all.length) await extend(true);
    const now = rows();
    to = Math.min(Math.max(now.indexOf(inHand()) + by, 0), now.length - 1);
    const link = now[to]?.querySelector(".what a");
    link?.focus({ preventScroll: true });
    now[to]?.scrollIntoView({ block: "nearest" });
  }
  async function peek(row) {
    const button = row.querySelector("[data-look]"), open = inner(row);
    if (open) open.remove();
    else {
      const query = new URLSearchParams(list.dataset.query);
      query.set("key", row.dataset.key);
      const answer = await fetch(`/desk/inside?${query}`);
      if (!answer.ok) return;
      const under = blank("peek");
      under.firstChild.innerHTML = await answer.text();
      row.after(under);
      see(row);
    }
    button?.setAttribute("aria-expanded", String(!open));
    const address = new URL(location);
    if (open) address.searchParams.delete("open");
    else address.searchParams.set("open", row.dataset.key);
    history.replaceState(null, "", address);
  }
  body.addEventListener("click", (event) => {
    const button = event.target.closest("[data-look]");
    if (button) {
      event.preventDefault();
      hold(button.closest("tr"));
      peek(button.closest("tr"));
    } else if (event.target.closest(".what a")) see(event.target.closest("tr.row"));
  });
  async function mark(row) {
    if (!inner(row)) await peek(row);
    inner(row)?.querySelector("form")?.requestSubmit();
  }
  const show = () => {
    const row = inHand() ?? rows().find((each) => each.getBoundingClientRect().top > 96);
    if (row) sessionStorage.setItem("hand", JSON.stringify([row.dataset.key, row.getBoundingClientRect().top]));
    location.reload();
  };
  const places = { w: "/desk", m: "/desk/map", r: "/desk/rumours", o: "/desk/operations" };
  let leader = 0;
  document.addEventListener("keydown", (event) => {
    if (!document.querySelector("#keys")?.dataset.on) return;
    if (event.target.closest("input, select, textarea, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = inHand(), key = event.key;
    if (Date.now() - leader < 1500 && document.querySelector(`.bar nav a[href="${places[key]}"]`)) location.assign(places[key]);
    else if (key === "g") leader = Date.now();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "/") document.querySelector("#find").focus();
    else if (key === "r") show();
    else if (key === "?") document.querySelector("#keys").scrollIntoView({ block: "center" });
    else if (key === "s" && row) mark(row);
    else if (key === " " && row && row.contains(document.activeElement)) peek(row);
    else return;
    event.preventDefault();
  });

  /* Back to the row in hand after a reload. */
  const hand = JSON.parse(sessionStorage.getItem("hand") ?? "null");
  sessionStorage.removeItem("hand");
  const again = hand && rowOf(hand[0]);
  if (again) {
    again.querySelector(".what a").focus({ preventScroll: true });
    scrollBy(0, again.getBoundingClientRect().top - hand[1]);
  }

  /* Live line: counted and marked, never inserted. */
  const line = document.querySelector("#live"), spoken = document.querySelector("#spoken");
  let last = -SPOKEN;
  line.querySelector("a").addEventListener("click", (event) => { event.preventDefault(); show(); });
  const live = new EventSource(`/desk/live?position=${at}`);
  live.addEventListener("message", (event) => {
    const news = JSON.parse(event.data);
    line.hidden = false;
    line.firstElementChild.textContent = news.text;
    for (const key of news.keys ?? []) rowOf(key)?.querySelector(".newer").removeAttribute("hidden");
    if (performance.now() - last >= SPOKEN) {
      spoken.textContent = news.text;
      last = performance.now();
    }
  });
  addEventListener("pagehide", () => live.close());
}
