// The page: every button sends its request, and what came of it is shown below the buttons.

import { claims, session } from "./session.js";
import { element, say, show } from "./show.js";
import { NotYet, tries } from "./tries.js";

const PEOPLE = { alice: "correct horse battery staple", grace: "amazing grace, 1906" };

const at = (id) => document.getElementById(id);

for (const group of document.querySelectorAll(".try")) {
  group.querySelector("form, .buttons").after(at("result").content.cloneNode(true));
  const result = group.querySelector(".result");
  result.querySelector("details").hidden = true;
  result.classList.add("empty");
}

async function attempt(button) {
  if (button.ariaBusy === "true") return;
  const result = button.closest(".try").querySelector(".result");
  button.ariaBusy = "true";
  try {
    const { exchange, guards, allowed } = await tries[button.dataset.try]();
    show(result, exchange, guards, allowed);
  } catch (error) {
    say(result, error instanceof NotYet ? error.message : "The service did not answer. Is it still running?");
  } finally {
    button.ariaBusy = "false";
    tell();
  }
}

// Who is logged in, at the top of the page; the tokens, where the reader unfolds them.
function tell() {
  const { user, access, refresh } = session;
  at("tokens").hidden = access === undefined;
  if (access === undefined) {
    at("who").replaceChildren("Nobody is logged in");
    return;
  }
  const { scope, roles } = claims(access);
  const granted = [scope, roles?.join(" ")].filter(Boolean).join(", ");
  at("who").replaceChildren("Logged in as ", element("b", user), granted ? ` (${granted})` : "");
  at("access").replaceChildren(access);
  at("claims").replaceChildren(JSON.stringify(claims(access), null, 2));
  at("refresh-token").replaceChildren(refresh ?? "");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.fill) {
    at("username").value = button.dataset.fill;
    at("password").value = PEOPLE[button.dataset.fill];
  } else if (button?.type === "button" && button.dataset.try) {
    attempt(button);
  }
});

at("account").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter ?? at("account").querySelector("button.main"));
});

tell();
