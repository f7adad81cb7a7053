// The browser sends the session's cookie by itself, and from this site alone. There is no token here to keep or to lose.

const $ = (id) => document.getElementById(id);

/** Log in, and come back to this very view. */
function logIn() {
  location.assign("/auth/login?return_to=" + encodeURIComponent(location.pathname + location.search + location.hash));
}

/** What the API answers; null for whoever is not logged in, or no longer. */
async function api(path, body) {
  const json = { "content-type": "application/json" };
  const answer = await fetch(path, body && { method: "POST", headers: json, body: JSON.stringify(body) });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return { said: await answer.json() };
}

async function show() {
  const [me, notes] = await Promise.all([api("/me"), api("/notes")]);
  const known = me && notes;
  $("nobody").hidden = known;
  document.querySelector("main").hidden = !known;
  $("who").textContent = known ? me.said.name : "";
  $("notes").replaceChildren(...(known ? notes.said : []).map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  }));
}

$("login").addEventListener("click", logIn);
$("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const kept = await api("/notes", Object.fromEntries(new FormData(event.target)));
  if (kept === null) return logIn();
  event.target.reset();
  await show();
});
addEventListener("pageshow", (event) => event.persisted && location.reload()); // gone back to, after a logout perhaps
show();
