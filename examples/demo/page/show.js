// What a reader sees of an exchange. Everything is put in as text: nothing that a server sent is ever markup.

import { words } from "./words.js";

const TOKENS = new Set(["access_token", "refresh_token", "token", "mfa_token"]);

export function element(tag, content = [], attributes = {}) {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// `into`: the .result below the buttons. `guards`: those that stand on this route, for when all of them let it through; `allowed`:
// what it means that they did.
export function show(into, { request, response, event, warnings, milliseconds }, guards, allowed) {
  const refused = response.status >= 400;
  into.className = `result ${refused ? "refused" : "allowed"}`;
  const by = refused ? (event?.guard ?? "the handler") : guards.join(", ") || event?.guard;
  const parts = [element("b", `${refused ? "Refused" : "Allowed"} ${response.status}`)];
  if (by) parts.push(" by ", element("code", by));

  const facts = [`${request.method} ${request.path} · `];
  if (event?.reason) facts.push("reason ", element("code", event.reason), " · ");
  if (event?.principal) facts.push("principal ", element("code", event.principal), " · ");
  facts.push(guards.length ? `${event.us}\u00a0µs in\u00a0guards · ` : event ? "" : "no guard stands here · ");
  facts.push(`${milliseconds.toFixed(1)}\u00a0ms round\u00a0trip`);
  into.querySelector(".decision").replaceChildren(...parts, ". ", element("span", facts, { class: "facts" }));

  const why = refused ? (words[event?.reason] ?? words[response.json?.code]) : (response.json?.message ?? allowed);
  into.querySelector(".why").replaceChildren([why, ...warnings.map((text) => `The log warns: ${text}.`)].filter(Boolean).join(" "));
  into.querySelector("details").hidden = false;
  into.querySelector(".sides").replaceChildren(
    side("Request, as it arrived", `${request.method} ${request.path}`, request.headers, request.body),
    side("Response", response.line, response.headers, response.body),
  );
}

// A word instead of an exchange: there is nothing to send yet.
export function say(into, text) {
  into.className = "result";
  into.querySelector(".decision").replaceChildren(text);
  into.querySelector(".why").replaceChildren();
  into.querySelector("details").hidden = true;
}

function side(title, line, headers, body) {
  const made = element("div", [element("h3", title), element("pre", line)], { class: "side" });
  const rows = headers.map(([name, value]) => element("tr", [element("th", name, { scope: "row" }), element("td", value)]));
  made.append(element("table", element("tbody", rows), { "aria-label": `Headers of the ${title.split(",")[0].toLowerCase()}` }));
  if (body) made.append(element("pre", masked(body)));
  return made;
}

// A body without the password in it, and of each token its two ends, by which it can be told from another.
function masked(body) {
  const hide = (name, value) => {
    if (name === "password") return `(${value.length} characters)`;
    return TOKENS.has(name) ? `${value.slice(0, 8)}...${value.slice(-8)} (${value.length} characters)` : value;
  };
  try {
    return JSON.stringify(JSON.parse(body, hide), null, 2);
  } catch {
    return body;
  }
}
